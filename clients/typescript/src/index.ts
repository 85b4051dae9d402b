/** The client of the Accord API: openapi-fetch with the types of the document. */
import createFetchClient, { type Client } from "openapi-fetch";
import { fetchWithRetries } from "./retries.js";
import type { paths } from "./schema.js";

export type * from "./schema.js";

/** Settings of a client. */
export interface ClientOptions {
  /** How often a request is sent again if that is safe: 2 by default, 0 turns retries off. */
  retries?: number;
}

/** A client; with a token it sends `Authorization: Bearer <token>` with every request. */
export function createClient(baseUrl: string, token?: string, { retries = 2 }: ClientOptions = {}): Client<paths> {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  return createFetchClient<paths>({ baseUrl, headers, fetch: fetchWithRetries(retries) });
}
