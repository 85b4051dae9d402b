// The life of a post, told with the generated client: `node dist/examples/story.js http://127.0.0.1:3000`
import assert from "node:assert/strict";
import { createClient, type Problem } from "accord-client";

const url = process.argv[2];
assert(url, "usage: story.js URL");
const credentials = { email: "story-typescript@example.com", password: "correct horse battery" };

const anyone = createClient(url);
const registered = ok(await anyone.POST("/api/v1/user", { body: credentials }));
console.log("register");

const session = ok(await anyone.POST("/api/v1/authenticate", { body: credentials }));
assert.equal(session.id, registered.id);
const ann = createClient(url, session.token);
console.log("log in");

const created = await ann.POST("/api/v1/posts", { body: { title: "Hello", content: "From TypeScript." } });
const post = ok(created);
for (const number of [2, 3]) {
  ok(await ann.POST("/api/v1/posts", { body: { title: `Number ${number}`, content: "…", rating: 5 } }));
}
console.log("create");

// a page names the next one: its `next` is our `cursor`
const query = { owner_id: session.id, limit: 2 };
const first = ok(await ann.GET("/api/v1/posts", { params: { query } }));
assert(first.next !== null, "three posts are more than a page of two");
const second = ok(await ann.GET("/api/v1/posts", { params: { query: { ...query, cursor: first.next } } }));
assert.deepEqual([first.items.length, second.items.length, second.next], [2, 1, null]);
assert.equal(second.items[0]?.id, post.id, "the newest come first");
console.log("list to the second page");

// the ETag names the version that was read: the change is made in that version or not at all
const etag = created.response.headers.get("ETag") ?? assert.fail("posts carry an ETag");
const params = { path: { id: post.id }, header: { "If-Match": etag } };
const change = await ann.PATCH("/api/v1/posts/{id}", { params, body: { title: "Hello again" } });
const changed = ok(change);
assert.deepEqual([changed.id, changed.title], [post.id, "Hello again"]);
console.log("update with the etag");

const { error, response } = await ann.PATCH("/api/v1/posts/{id}", { params, body: { title: "Too late" } });
assert(error?.code === "precondition_failed", "an old version was changed");
assert.equal(response.status, 412);
console.log("be refused with the old etag");

const current = change.response.headers.get("ETag") ?? assert.fail("posts carry an ETag");
const read = { path: { id: post.id }, header: { "If-None-Match": current } };
assert.equal((await ann.GET("/api/v1/posts/{id}", { params: read })).response.status, 304);
console.log("learn that nothing has changed");

// a field that is left out stays as it is; null is another word
const rated = first.items[0] ?? assert.fail("a page of two");
const any = { path: { id: rated.id }, header: { "If-Match": "*" } };
const unrated = ok(await ann.PATCH("/api/v1/posts/{id}", { params: any, body: { rating: null } }));
assert.deepEqual([rated.rating, unrated.rating, unrated.title], [5, null, rated.title]);
console.log("remove the rating with null");

// `cargo xtask clients` loses the first answer to this request; the retry has the same Idempotency-Key
const once = ok(await ann.POST("/api/v1/posts", { body: { title: "Lost answer", content: "Created once." } }));
const search = { owner_id: session.id, search: once.title };
const found = ok(await ann.GET("/api/v1/posts", { params: { query: search } }));
assert.deepEqual(found.items.map((item) => item.id), [once.id]);
ok(await ann.DELETE("/api/v1/posts/{id}", { params: { path: { id: once.id }, header: { "If-Match": "*" } } }));
console.log("create once though the answer is lost");

const untitled = await ann.POST("/api/v1/posts", { body: { title: "", content: "No title." } });
assert(untitled.error?.code === "invalid", "a post without a title was taken");
assert.equal(untitled.error.errors?.[0]?.pointer, "/title");
console.log("be told which field is at fault");

const newer: Problem = JSON.parse(JSON.stringify({ ...untitled.error, code: "of_tomorrow" }));
assert.equal(String(newer.code), "of_tomorrow");
console.log("read a code of a newer server");

for (const { id } of [...first.items, ...second.items]) {
  ok(await ann.DELETE("/api/v1/posts/{id}", { params: { path: { id }, header: { "If-Match": "*" } } }));
}
const gone = await ann.GET("/api/v1/posts/{id}", { params: { path: { id: post.id } } });
assert(gone.error?.code === "not_found", "a deleted post was found");
ok(await ann.DELETE("/api/v1/user"));
console.log("delete");

/** What was asked for, or the problem thrown. */
function ok<T>(answer: { data?: T; error?: Problem }): T {
  if (answer.error) throw new Error(`${answer.error.code}: ${answer.error.detail}`);
  return answer.data as T;
}
