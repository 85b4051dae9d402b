/** The client of the Accord API: openapi-fetch with the types of the document. */
import createFetchClient, { type Client } from "openapi-fetch";
import type { paths } from "./schema.js";

export type * from "./schema.js";

/** A client; with a token it sends `Authorization: Bearer <token>` with every request. */
export function createClient(baseUrl: string, token?: string): Client<paths> {
  return createFetchClient<paths>({ baseUrl, headers: token === undefined ? {} : { Authorization: `Bearer ${token}` } });
}
