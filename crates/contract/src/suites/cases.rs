//! The cases of an operation.

use super::acceptances::acceptances;
use super::case::{Case, Leg};
use super::plan::Plan;
use super::refusals::refusals;
use crate::document::Operation;

/// The cases of an operation in a suite without those that the setup skips, and the number of skipped ones.
pub fn cases(plan: &Plan<'_>, leg: Leg, operation: &Operation) -> (Vec<Case>, usize) {
    let mut cases = match leg {
        Leg::Refusals => refusals(plan, operation),
        Leg::Acceptances => acceptances(plan, operation),
        Leg::Random | Leg::Access => vec![],
    };
    let all = cases.len();
    let skips = |case: &Case| plan.setup.skip.keys().any(|key| key == case.constraint.word() || key == &case.id);
    cases.retain(|case| !skips(case));
    let skipped = all - cases.len();
    let mut taken: Vec<String> = vec![];
    for case in &mut cases {
        let same = taken.iter().filter(|id| **id == case.id).count();
        taken.push(case.id.clone());
        if same > 0 {
            case.id = format!("{}-{}", case.id, same + 1);
        }
    }
    (cases, skipped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::suites::case::Expect;
    use crate::suites::constraint::Constraint;
    use crate::suites::draft::{Change, Proof};

    const DOCUMENT: &str = r##"
openapi: 3.0.3
paths:
  /things:
    post:
      operationId: create_thing
      security: [{ oauth: ["things:write"] }]
      parameters:
      - { name: X-Mode, in: header, required: true, schema: { type: string, enum: [fast, slow] } }
      - { name: dry, in: query, required: true, schema: { type: boolean } }
      requestBody:
        content:
          application/x-www-form-urlencoded:
            schema: { type: object, required: [size], properties: { size: { type: integer, maximum: 9 } } }
            examples: { one: { value: { size: 1 } }, two: { value: { size: 2 } } }
      responses: { "201": { description: Made }, "403": { description: No }, "401": { description: Who } }
components:
  securitySchemes: { oauth: { type: oauth2, flows: {} } }
"##;

    fn found(leg: Leg, setup: &str) -> Vec<Case> {
        let (document, setup) = (Document::parse(DOCUMENT.into()).unwrap(), yaml_serde::from_str(setup).unwrap());
        let plan = Plan { document: &document, setup: &setup };
        cases(&plan, leg, &document.operations[0]).0
    }

    fn case(cases: &[Case], id: &str) -> Case {
        let known: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
        cases.iter().find(|case| case.id == id).unwrap_or_else(|| panic!("{id} is not in {known:#?}")).clone()
    }

    #[test]
    fn who_lacks_a_scope_is_refused() {
        let setup = "people: { stranger: { operation: create_thing, token: x, scopes: [\"things:read\"] } }";
        let missing = case(&found(Leg::Refusals, setup), "create_thing/scope/missing");
        assert_eq!(missing.changes, [Change::Credentials(Proof::Unscoped)]);
        assert_eq!(missing.expect.to_string(), "403");
        let (document, setup) = (Document::parse(DOCUMENT.into()).unwrap(), yaml_serde::from_str(setup).unwrap());
        let plan = Plan { document: &document, setup: &setup };
        assert!(plan.without(&["things:write".into()]).is_some());
        assert!(plan.without(&["things:read".into()]).is_none());
    }

    #[test]
    fn a_constraint_without_a_status_that_refuses_it_is_told() {
        let too_large = case(&found(Leg::Refusals, "{}"), "create_thing/body/size/maximum/10");
        let Expect::Refused { statuses, .. } = too_large.expect else { panic!("{too_large:?}") };
        assert_eq!(statuses, Vec::<u16>::new(), "neither 400 nor 422 is declared");
    }

    #[test]
    fn parameters_and_forms_are_broken_as_texts() {
        let cases = found(Leg::Refusals, "{}");
        for id in [
            "create_thing/header/X-Mode/enum/nonsense",
            "create_thing/header/X-Mode/required/missing",
            "create_thing/header/X-Mode/repeated",
            "create_thing/query/dry/required/missing",
            "create_thing/query/dry/spelling/yes",
            "create_thing/query/dry/encoding/bytes",
            "create_thing/query/unknown/nonsense",
            "create_thing/body/size/required/missing",
            "create_thing/body/size/type/word",
            "create_thing/body/syntax/lone-percent",
            "create_thing/body/mediaType/application_json",
        ] {
            case(&cases, id);
        }
        let accepted = found(Leg::Acceptances, "{}");
        case(&accepted, "create_thing/accepts/example/1");
        case(&accepted, "create_thing/accepts/header/X-Mode/enum/slow");
        case(&accepted, "create_thing/accepts/body/size/maximum/largest");
    }

    #[test]
    fn what_the_setup_skips_is_counted() {
        let document = Document::parse(DOCUMENT.into()).unwrap();
        let setup = yaml_serde::from_str("skip: { spelling: it is lenient }").unwrap();
        let plan = Plan { document: &document, setup: &setup };
        let (cases, skipped) = cases(&plan, Leg::Refusals, &document.operations[0]);
        assert!(skipped > 5 && !cases.iter().any(|case| case.constraint == Constraint::Spelling));
    }
}
