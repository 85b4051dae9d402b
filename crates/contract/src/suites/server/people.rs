//! Callers: logging in, their credentials, and invalid credentials.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Server;
use crate::document::Operation;
use crate::exchange::Answer;
use crate::suites::draft::{Credential, Draft, Proof, plain};
use crate::suites::expression;
use crate::suites::failure::Failure;
use crate::suites::person::Person;
use crate::suites::plan::carrier;
use crate::suites::setup::{Identity, Login, Step};

/// The placeholder in a step for each granted scope.
const SCOPE: &str = "{scope}";

impl Server<'_> {
    /// The caller of an operation: a person with its scopes. With `fresh` it is a new one, if the setup can make one.
    pub async fn somebody(&self, operation: &Operation, fresh: bool) -> Result<Person, Failure> {
        if self.plan.is_privileged(operation) {
            return Ok(self.privileged.clone());
        }
        if fresh { self.somebody_new().await } else { Ok(self.caller.clone()) }
    }

    /// A new person, or the caller if the setup cannot make one.
    pub async fn somebody_new(&self) -> Result<Person, Failure> {
        match &self.plan.setup.people.fresh {
            Some(login) => self.log_in(login).await,
            None => Ok(self.caller.clone()),
        }
    }

    /// A new person of this identity, logged in.
    pub async fn somebody_like(&self, identity: &Identity) -> Result<Person, Failure> {
        let mut known = BTreeMap::new();
        self.take(&identity.before, &mut known, &[]).await?;
        match &identity.login {
            Some(login) => self.log_in_knowing(login, &|name| known.get(name)).await,
            None => self.somebody_new().await,
        }
    }

    /// Takes the steps of an identity after its login: grants of these scopes, the end of the account.
    pub async fn befall(
        &self,
        identity: &Identity,
        person: &Person,
        object: Option<&Answer>,
        scopes: &[&str],
    ) -> Result<(), Failure> {
        let caller = person.answer.iter().map(|answer| ("caller".to_owned(), answer.clone()));
        let object = object.into_iter().map(|answer| ("object".to_owned(), answer.clone()));
        self.take(&identity.after, &mut caller.chain(object).collect(), scopes).await
    }

    /// Takes steps, each by the privileged person.
    async fn take(&self, steps: &[Step], known: &mut BTreeMap<String, Answer>, scopes: &[&str]) -> Result<(), Failure> {
        for step in steps {
            let by_scope = Value::Object(step.body.clone()).to_string().contains(SCOPE);
            for scope in if by_scope { scopes } else { &[""] } {
                let answer = self.step(step, known, scope).await?;
                if let Some(name) = &step.name {
                    known.insert(name.clone(), answer);
                }
            }
        }
        Ok(())
    }

    async fn step(&self, step: &Step, known: &BTreeMap<String, Answer>, scope: &str) -> Result<Answer, Failure> {
        let operation = self.operation(&step.operation)?;
        let mut over = self.plan.setup.needs(&operation.id).body.clone();
        over.extend(step.body.clone());
        over.values_mut().for_each(|value| {
            if let Value::String(text) = value {
                *text = text.replace(SCOPE, scope);
            }
        });
        let find = |name: &str| known.get(name);
        let mut draft = self.unprepared(operation, &over, &find)?;
        self.parametrise(operation, &mut draft, [("path", &step.path), ("header", &step.headers)], &find)?;
        draft.credentials = self.credentials(operation, &self.privileged);
        self.fill(operation, &mut draft)?;
        let answer = self.send(operation, &draft, &self.word()).await?;
        self.success(operation, &answer)?;
        Ok(answer)
    }

    /// Logs in, or registers, as the setup says.
    pub(super) async fn log_in(&self, login: &Login) -> Result<Person, Failure> {
        self.log_in_knowing(login, &|_| None).await
    }

    async fn log_in_knowing<'b>(
        &self,
        login: &Login,
        known: &impl Fn(&str) -> Option<&'b Answer>,
    ) -> Result<Person, Failure> {
        let operation = self.operation(&login.operation)?;
        let word = self.word();
        let draft = self.unprepared(operation, &login.body, known)?;
        let answer = self.send(operation, &draft, &word).await?;
        self.success(operation, &answer)?;
        let token = expression::evaluate(&login.token, &answer);
        let token = token.map_err(|error| Failure::of("C-SETUP", error, "credentials", &answer))?;
        Ok(Person { answer: Some(answer), token: Some(plain(&token)) })
    }

    /// The credentials of a person for an operation.
    pub fn credentials(&self, operation: &Operation, by: &Person) -> Vec<Credential> {
        let Some(token) = by.token.as_ref().filter(|_| operation.protected) else { return vec![] };
        let way = operation.security.iter().find(|way| !way.is_empty()).into_iter().flatten();
        way.map(|(name, _)| {
            let (place, name, scheme) = carrier(self.plan.document.scheme(name));
            Credential { place, name, scheme: scheme.into(), token: token.clone() }
        })
        .collect()
    }

    /// Puts something else in place of what proves who calls.
    pub(super) async fn prove(&self, operation: &Operation, draft: &mut Draft, proof: Proof) -> Result<(), Failure> {
        let replaced = match proof {
            Proof::None => {
                draft.credentials.clear();
                return Ok(());
            }
            Proof::Scheme => {
                draft.credentials.iter_mut().for_each(|credential| credential.scheme = "Basic ".into());
                return Ok(());
            }
            Proof::Nothing => {
                draft.credentials.iter_mut().for_each(|credential| credential.scheme = credential.scheme.trim().into());
                Some(String::new())
            }
            Proof::Garbage => Some("nonsense".into()),
            Proof::Tampered => draft.credentials.first().map(|credential| tampered(&credential.token)),
            Proof::Ended => self.ended.get_or_try_init(|| self.end()).await?.clone(),
            Proof::Stranger => self.stranger.token.clone(),
            Proof::Unscoped => {
                let scopes: Vec<String> =
                    operation.security.iter().flatten().flat_map(|(_, scopes)| scopes.clone()).collect();
                match self.plan.without(&scopes) {
                    Some(login) => self.log_in(login).await?.token,
                    None => None,
                }
            }
        };
        let Some(token) = replaced else {
            let what = format!("nobody is known who could be {proof:?} here");
            return Err(Failure::without("C-SETUP", what, "`people` of the setup file must name somebody"));
        };
        draft.credentials.iter_mut().for_each(|credential| credential.token.clone_from(&token));
        Ok(())
    }

    /// A token whose session has ended.
    async fn end(&self) -> Result<Option<String>, Failure> {
        let people = &self.plan.setup.people;
        let (Some(login), Some(log_out)) = (&people.fresh, &people.log_out) else { return Ok(None) };
        let operation = self.operation(log_out)?;
        let person = self.log_in(login).await?;
        let base = self.base_by(operation, None, person.clone(), BTreeMap::new()).await?;
        let answer = self.send(operation, &base.draft, &base.word).await?;
        self.success(operation, &answer)?;
        Ok(person.token)
    }
}

/// The token with another signature: the first character of its last part differs.
fn tampered(token: &str) -> String {
    let at = token.rfind('.').map_or(0, |dot| dot + 1);
    let (head, rest) = token.split_at(at);
    let first = if rest.starts_with('A') { 'B' } else { 'A' };
    format!("{head}{first}{}", rest.chars().skip(1).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tampered_token_differs_in_its_signature_only() {
        assert_eq!(tampered("a.b.cd"), "a.b.Ad");
        assert_eq!(tampered("Axyz"), "Bxyz");
    }
}
