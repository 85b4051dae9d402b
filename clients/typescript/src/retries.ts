/** Retries of requests that are safe to send again. */
import { idempotentPosts } from "./idempotent-posts.js";
import type { Problem } from "./schema.js";

/** The methods that are idempotent (RFC 9110, section 9.2.2) and in the document. */
const IDEMPOTENT_METHODS = ["GET", "HEAD", "PUT", "DELETE"];

/** The statuses of a server or a proxy that cannot answer at the moment. */
const TEMPORARY = [429, 502, 503, 504];

/** The upper limit of the wait before the first retry, in ms. It doubles with each further retry. */
const FIRST_WAIT = 100;

/** The longest wait before a retry, in ms. A response that asks for a longer one is returned. */
const LONGEST_WAIT = 30_000;

/** The wait while the first request with the same `Idempotency-Key` still runs, in ms. */
const IN_USE_WAIT = 1_000;

/** Returns a `fetch` that sends a request again, this many times at most, if that is safe. */
export function fetchWithRetries(retries: number): (request: Request) => Promise<Response> {
  return async (request) => {
    const repeatable = retries > 0 && isRepeatable(request);
    for (let retry = 0; repeatable && retry < retries; retry++) {
      let wait: number | undefined;
      try {
        const response = await fetch(request.clone());
        wait = await waitAfter(response, retry);
        if (wait === undefined) return response;
        await response.body?.cancel();
      } catch (error) {
        // no connection or no response, unless the caller has aborted the request
        if (request.signal.aborted) throw error;
        wait = backoff(retry);
      }
      await sleep(wait, request.signal);
    }
    return fetch(request);
  };
}

/** Returns whether a request may be sent again. Adds an `Idempotency-Key` to a create that has none. */
function isRepeatable(request: Request): boolean {
  if (request.method !== "POST") return IDEMPOTENT_METHODS.includes(request.method);
  const { pathname } = new URL(request.url);
  if (!idempotentPosts.some((path) => pathname.endsWith(path))) return false;
  if (!request.headers.has("Idempotency-Key")) {
    // crypto.randomUUID() exists only on pages that were loaded with https
    const bytes = Array.from(crypto.getRandomValues(new Uint8Array(16)));
    request.headers.set("Idempotency-Key", bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(""));
  }
  return true;
}

/** Returns the wait before the next retry in ms, or `undefined` if the response is final. */
async function waitAfter(response: Response, retry: number): Promise<number | undefined> {
  let wait: number;
  if (TEMPORARY.includes(response.status)) wait = backoff(retry);
  else if (response.status === 409 && (await isKeyInUse(response))) wait = IN_USE_WAIT;
  else return undefined;
  wait = retryAfter(response) ?? wait;
  return wait <= LONGEST_WAIT ? wait : undefined;
}

/** Returns whether a 409 says that the first request with the key still runs. */
async function isKeyInUse(response: Response): Promise<boolean> {
  const problem: Partial<Problem> | null = await response.clone().json().catch(() => null);
  return problem?.code === "idempotency_key_in_use";
}

/** Returns the time to wait in ms that `Retry-After` gives, in seconds or as a date (RFC 9110, section 10.2.3). */
function retryAfter(response: Response): number | undefined {
  const value = response.headers.get("Retry-After") ?? "";
  if (/^\d+$/.test(value)) return Number(value) * 1_000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** Returns the wait before a retry in ms: 100, 200, 400 and so on, shortened at random by up to a half. */
function backoff(retry: number): number {
  return Math.min(FIRST_WAIT * 2 ** retry, LONGEST_WAIT) * (0.5 + Math.random() / 2);
}

/** Waits. Throws if the caller aborts the request. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal.addEventListener("abort", abort, { once: true });
  });
}
