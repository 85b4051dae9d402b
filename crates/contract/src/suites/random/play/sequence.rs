//! The life of an object from its creation until after its deletion: each answer follows from the answers before.

use std::collections::BTreeMap;

use serde_json::Value;

use super::outlook::{find, judge, outlook};
use crate::document::Operation;
use crate::exchange::Answer;
use crate::suites::draft::{Change, Draft};
use crate::suites::failure::Failure;
use crate::suites::judge::echoes;
use crate::suites::person::Person;
use crate::suites::random::scenario::{Choice, Step};
use crate::suites::server::{Base, Server};

/// Something that is made, changed and deleted, and what is known of it.
pub struct Sequence<'a, 'b> {
    server: &'b Server<'a>,
    fixture: &'b str,
    caller: Person,
    /// The answer that told its identifier, and the links.
    made: Answer,
    /// The present state; `None` after the deletion.
    now: Option<Value>,
    etag: Option<String>,
    /// ETags of versions that were changed since.
    old: Vec<String>,
    /// Operations that have used it.
    used: Vec<String>,
}

impl<'a, 'b> Sequence<'a, 'b> {
    /// Makes it.
    pub async fn begin(server: &'b Server<'a>, fixture: &'b str) -> Result<Self, Failure> {
        let maker = find(server, &server.plan.setup.fixtures[fixture].operation)?;
        let caller = server.somebody(maker, false).await?;
        let made = server.make(fixture, &caller).await?;
        let (now, etag) = (Some(made.body.clone()), made.header("ETag").map(Into::into));
        Ok(Self { server, fixture, caller, made, now, etag, old: vec![], used: vec![] })
    }

    /// Takes the steps until something is not as it must be.
    pub async fn play(mut self, steps: &[Step]) -> Result<(), Failure> {
        for step in steps {
            match step {
                Step::Read(id) => self.read(find(self.server, id)?, None).await?,
                Step::Unchanged(id) => self.unchanged(find(self.server, id)?).await?,
                Step::Update(id, choice) => self.update(find(self.server, id)?, choice.as_ref()).await?,
                Step::Stale(id) => self.stale(find(self.server, id)?).await?,
                Step::Refused(id, choice) => self.refused(find(self.server, id)?, choice).await?,
                Step::Use(id) => self.used(find(self.server, id)?).await?,
                Step::Delete(id) => self.delete(find(self.server, id)?).await?,
            }
        }
        // whatever was refused meanwhile, it is what it was last
        let document = self.server.plan.document;
        let reads = document.operations.iter().filter(|operation| operation.method == "GET");
        match reads.into_iter().find(|operation| self.server.plan.is_linked(self.fixture, operation)) {
            Some(read) => self.read(read, None).await,
            None => Ok(()),
        }
    }

    /// A valid request about it, in its present version.
    async fn base(&self, operation: &Operation) -> Result<Base, Failure> {
        let fixtures = BTreeMap::from([(self.fixture.to_owned(), self.made.clone())]);
        let linked = self.server.plan.is_linked(self.fixture, operation).then_some(self.fixture);
        let mut base = self.server.base_by(operation, linked, self.caller.clone(), fixtures).await?;
        // the version of another object is not known here
        if linked.is_some() && operation.takes("header", "If-Match") {
            self.version(operation, &mut base.draft, "If-Match", self.etag.as_ref());
        }
        Ok(base)
    }

    fn version(&self, operation: &Operation, draft: &mut Draft, name: &str, etag: Option<&String>) {
        if let Some(etag) = etag {
            draft.change(operation, &Change::Parameter("header".into(), name.into(), Some(etag.clone())));
        }
    }

    /// Checks that the answer about a deleted object is 404 or 410.
    fn gone(&self, answer: &Answer) -> Result<(), Failure> {
        if [404, 410].contains(&answer.status) {
            return Ok(());
        }
        Err(Failure::of("C-DELETED", "what was deleted is still there", "404", answer))
    }

    async fn read(&mut self, operation: &Operation, with: Option<&str>) -> Result<(), Failure> {
        let mut base = self.base(operation).await?;
        if let Some(etag) = with {
            self.version(operation, &mut base.draft, "If-None-Match", Some(&etag.to_owned()));
        }
        let answer = self.server.send(operation, &base.draft, &base.word).await?;
        let Some(now) = &self.now else { return self.gone(&answer) };
        if with.is_some() {
            if answer.status != 304 {
                return Err(Failure::of("C-304", "it has not changed since its ETag was answered", "304", &answer));
            }
            return Ok(());
        }
        self.server.success(operation, &answer)?;
        let differs = |(name, value): (&String, &Value)| now.get(name).is_some_and(|now| now != value);
        if let Some((name, _)) = answer.body.as_object().into_iter().flatten().find(|pair| differs(*pair)) {
            let sentence = format!("`{name}` is not what was answered last");
            return Err(Failure::of("C-ECHO", sentence, now[name].to_string(), &answer));
        }
        if let (Some(etag), Some(read)) = (&self.etag, answer.header("ETag"))
            && etag != read
        {
            return Err(Failure::of("C-ETAG-SAME", "nothing has changed, and the ETag is another", etag, &answer));
        }
        Ok(())
    }

    async fn unchanged(&mut self, operation: &Operation) -> Result<(), Failure> {
        let conditional = operation.takes("header", "If-None-Match") && operation.declares(304);
        match self.etag.clone().filter(|_| conditional) {
            Some(etag) => self.read(operation, Some(&etag)).await,
            None => self.read(operation, None).await,
        }
    }

    async fn update(&mut self, operation: &Operation, choice: Option<&Choice>) -> Result<(), Failure> {
        let base = self.base(operation).await?;
        let changes = choice.map_or(&[][..], |choice| &choice.changes);
        let draft = self.server.changed(operation, &base, changes).await?;
        let answer = self.server.send(operation, &draft, &base.word).await?;
        let Some(before) = &self.now else { return self.gone(&answer) };
        self.server.success(operation, &answer)?;
        let was = Answer { body: before.clone(), ..self.made.clone() };
        echoes(self.server, operation, Some(&was), &answer)?;
        if !answer.body.is_object() {
            return self.look_again().await;
        }
        let etag = answer.header("ETag").map(ToOwned::to_owned);
        if self.etag.is_some() && etag == self.etag && answer.body != *before {
            return Err(Failure::of("C-ETAG-CHANGES", "it has changed, and its ETag has not", "another ETag", &answer));
        }
        if etag != self.etag {
            self.old.extend(self.etag.take());
        }
        self.old.retain(|old| Some(old) != etag.as_ref());
        (self.etag, self.now) = (etag, Some(answer.body));
        Ok(())
    }

    async fn stale(&mut self, operation: &Operation) -> Result<(), Failure> {
        let Some(old) = self.old.last().cloned().filter(|_| operation.declares(412)) else { return Ok(()) };
        let mut base = self.base(operation).await?;
        self.version(operation, &mut base.draft, "If-Match", Some(&old));
        let answer = self.server.send(operation, &base.draft, &base.word).await?;
        if self.now.is_none() {
            return self.gone(&answer);
        }
        if answer.status != 412 {
            let sentence = "a change of a version that was changed since is not refused";
            return Err(Failure::of("C-412", sentence, "412", &answer));
        }
        Ok(())
    }

    async fn refused(&mut self, operation: &Operation, choice: &Choice) -> Result<(), Failure> {
        let base = self.base(operation).await?;
        let draft = self.server.changed(operation, &base, &choice.changes).await?;
        let mut outlook = outlook(self.server, operation, &draft, std::slice::from_ref(choice));
        if self.now.is_none() {
            outlook.unmatched.extend([404, 410]);
        }
        let answer = self.server.send(operation, &draft, &base.word).await?;
        judge(&outlook, &answer)
    }

    async fn used(&mut self, operation: &Operation) -> Result<(), Failure> {
        let base = self.base(operation).await?;
        let answer = self.server.send(operation, &base.draft, &base.word).await?;
        if self.now.is_none() {
            let mut unmatched = self.server.plan.setup.unmatched_statuses(operation);
            if unmatched.any(|status| status == answer.status) {
                return Ok(());
            }
            return self.gone(&answer);
        }
        let again = self.used.contains(&operation.id) && answer.status == 409;
        if !again {
            self.server.success(operation, &answer)?;
        }
        self.used.push(operation.id.clone());
        self.look_again().await
    }

    /// Something has changed it in a way that no answer has told.
    async fn look_again(&mut self) -> Result<(), Failure> {
        let document = self.server.plan.document;
        let reads = document.operations.iter().filter(|operation| operation.method == "GET");
        let Some(read) = reads.into_iter().find(|operation| self.server.plan.is_linked(self.fixture, operation)) else {
            return Ok(());
        };
        let base = self.base(read).await?;
        let answer = self.server.send(read, &base.draft, &base.word).await?;
        self.server.success(read, &answer)?;
        self.etag = answer.header("ETag").map(Into::into);
        self.now = Some(answer.body);
        Ok(())
    }

    async fn delete(&mut self, operation: &Operation) -> Result<(), Failure> {
        let base = self.base(operation).await?;
        let answer = self.server.send(operation, &base.draft, &base.word).await?;
        if self.now.is_none() {
            return self.gone(&answer);
        }
        let in_use = self.server.plan.setup.needs(&operation.id).in_use.as_ref().filter(|_| !self.used.is_empty());
        if in_use.is_some_and(|said| answer.status == said.status && self.server.code(&answer) == said.code.as_deref())
        {
            return Ok(());
        }
        self.server.success(operation, &answer)?;
        self.now = None;
        Ok(())
    }
}
