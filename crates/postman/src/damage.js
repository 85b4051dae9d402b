// The checks of this request, each time on an answer that is damaged in one more way: the check that this concerns
// must fail. `pm` inside is a stand-in that notes which checks fail.
const checks = (pm) => {
<checks>
};

const failing = () => {
    const failed = [];
    const note = (name, run) => {
        try {
            run();
        } catch (error) {
            failed.push(name);
        }
    };
    checks(Object.create(pm, { test: { value: note }, environment: { value: { get: (name) => pm.environment.get(name), set: () => {} } } }));
    return failed;
};

const change = ({ code, header, property, text }) => {
    const answer = pm.response;
    if (code !== undefined) {
        answer.code = code;
    }
    if (header !== undefined) {
        answer.headers.remove(({ key }) => key.toLowerCase() === header.key.toLowerCase());
        if (header.value !== undefined) {
            answer.headers.add(header);
        }
    }
    if (property !== undefined) {
        const body = answer.json();
        if (property.value === undefined) {
            delete body[property.key];
        } else {
            body[property.key] = property.value;
        }
        answer.json = () => body;
    }
    if (text !== undefined) {
        answer.text = () => text;
    }
};

const damaged = (damage) => {
    const { code } = pm.response;
    const headers = pm.response.headers.all();
    change(damage);
    const failed = failing();
    pm.response.code = code;
    pm.response.headers.clear();
    headers.forEach((header) => pm.response.headers.add(header));
    delete pm.response.json;
    delete pm.response.text;
    return failed;
};

pm.test("nothing is wrong with the answer itself", () => pm.expect(failing()).to.eql([]));
const damages = <damages>;
damages.forEach((damage) => {
    const isConcerned = (name) => name.startsWith(damage.check);
    pm.test(`${damage.what} is noticed by "${damage.check} …"`, () => {
        pm.expect(damaged(damage), "checks that failed").to.satisfy((names) => names.some(isConcerned));
    });
});
pm.test("nothing is wrong with the answer any more", () => pm.expect(failing()).to.eql([]));
