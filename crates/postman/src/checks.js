// The checks of all requests. The test script of a request calls `check` with the documented answers, one of which the
// answer of the server must be:
//   status      the status, or several that have the same answer
//   headers     the required headers, each with a pattern of its value, or with nothing where any value is right
//   media_type  of the body; without one, the body is empty
//   body        the JSON Schema of the body: one of `schemas` by its name, or the schema itself
//   code        the error code; `status` and `request_id` in the body must match, too
//   errors      the part of the request that `errors` in the body must name
//   without     the variable without which an error is the right answer
// `check` stands below without `const`, or the scripts of the requests would not see it.

const checkAnswer = (pm, { status, headers, media_type, body, code, errors }) => {
    const json = () => pm.response.json();
    const header = (name) => pm.response.headers.get(name);
    Object.entries(headers).forEach(([name, pattern]) => {
        if (pattern) {
            pm.test(`header ${name} has its form`, () => pm.expect(header(name)).to.match(new RegExp(pattern)));
        } else {
            pm.test(`header ${name} is there`, () => pm.response.to.have.header(name));
        }
    });
    if (media_type) {
        const found = (header("Content-Type") || "none").split(";")[0];
        const schema = { ...(typeof body === "string" ? schemas[body] : body), definitions: schemas };
        pm.test(`media type is ${media_type}`, () => pm.expect(found).to.equal(media_type));
        pm.test("body is as documented", () => pm.response.to.have.jsonSchema(schema));
    } else {
        pm.test("body is empty", () => pm.expect(pm.response.text() || "").to.equal(""));
    }
    if (code) {
        const id = header("X-Request-Id");
        pm.test("the body repeats the status", () => pm.expect(json().status).to.equal(status[0]));
        pm.test(`code is ${code}`, () => pm.expect(json().code).to.equal(code));
        pm.test("request_id is that of the header", () => pm.expect(json().request_id).to.be.a("string").and.equal(id));
    }
    if (errors) {
        const { location, pointer } = errors;
        const part = pointer === undefined ? location : `${location} ${pointer || "as a whole"}`;
        const isNamed = (error) => error.location === location && (pointer === undefined || error.pointer === pointer);
        pm.test(`errors name ${part}`, () => pm.expect(json().errors || []).to.satisfy((all) => all.some(isNamed)));
    }
};

check = (pm, answers) => {
    const { code } = pm.response;
    const or = answers.find(({ without }) => without);
    const statuses = answers.filter((answer) => answer !== or).flatMap(({ status }) => status);
    const name = `status is ${statuses.join(" or ")}`;
    if (or) {
        const allowed = pm.environment.get(or.without) ? statuses : or.status;
        const whole = `${name}, or ${or.status} ${or.code} while ${or.without} is empty`;
        pm.test(whole, () => pm.expect(code, pm.response.text()).to.be.oneOf(allowed));
    } else {
        pm.test(name, () => pm.expect(code, pm.response.text()).to.be.oneOf(statuses));
    }
    const answer = answers.length === 1 ? answers[0] : answers.find(({ status }) => status.includes(code));
    if (answer) {
        checkAnswer(pm, answer);
    }
};

const schemas = <schemas>;
