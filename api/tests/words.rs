//! The document's tables of well-known keys against the broker's: the same keys, taking the same values.

use broker::domain::arguments::{CONSUMER_ARGUMENTS, Check, EXCHANGE_ARGUMENTS, QUEUE_ARGUMENTS};
use broker::domain::policy::{ApplyTo, settings};
use broker::domain::queue::QueueKind;
use openapi::arguments::{self, QUEUE_TYPES};
use openapi::fields::{Field, Form};
use openapi::policy_settings::{APPLY_TO, SETTINGS};
use serde_json::{Value, json};

const TEN_YEARS_MS: i64 = 315_360_000_000;

/// What the document must say of a check; `None` of what is not offered at all.
fn form(check: Check) -> Option<Form> {
    Some(match check {
        Check::Anything | Check::StreamOffset => Form::Any,
        Check::Text | Check::DeadLetterRoutingKey => Form::Text,
        Check::Boolean => Form::Boolean,
        Check::Integer => Form::INTEGER,
        Check::NotNegative => Form::COUNT,
        Check::Positive => Form::POSITIVE,
        Check::AtMost { max } => Form::Integer { min: 0, max },
        Check::Within { min, max, .. } => Form::Integer { min, max },
        Check::Duration { zero } => Form::Integer { min: i64::from(!zero), max: TEN_YEARS_MS },
        Check::OneOf { values, .. } => Form::OneOf(values),
        Check::QueueType => Form::OneOf(QUEUE_TYPES),
        Check::QueueVersion => Form::Integer { min: 2, max: 2 },
        Check::Age => Form::Matching("^[0-9]*[1-9][0-9]*[YMDhms]$"),
        Check::Denied { .. } => return None,
    })
}

fn sorted(mut table: Vec<(&'static str, Form)>) -> Vec<(&'static str, Form)> {
    table.sort_by_key(|(name, _)| *name);
    table
}

fn documented(table: &[Field]) -> Vec<(&'static str, Form)> {
    sorted(table.iter().map(|field| (field.name, field.form)).collect())
}

#[test]
fn arguments_are_documented_as_they_are_checked() {
    for (checked, fields) in [(QUEUE_ARGUMENTS, arguments::QUEUE), (CONSUMER_ARGUMENTS, arguments::CONSUMER)] {
        let checked = checked.iter().filter_map(|argument| Some((argument.name, form(argument.check)?)));
        assert_eq!(documented(fields), sorted(checked.collect()));
    }
    for (name, _) in EXCHANGE_ARGUMENTS {
        assert!(documented(arguments::EXCHANGE).contains(&(*name, Form::Text)), "{name}");
    }
}

/// Values that fit a form, and values that do not.
fn samples(form: Form) -> (Vec<Value>, Vec<Value>) {
    match form {
        Form::Any => (vec![], vec![]),
        Form::Text | Form::Short => (vec![json!("x"), json!("")], vec![json!(1), json!(null), json!({}), json!(true)]),
        Form::Matching(_) => (vec![json!("1D"), json!("010s")], vec![json!("D"), json!("0D"), json!("1w"), json!(1)]),
        Form::OneOf(words) => {
            (words.iter().map(|word| json!(word)).collect(), vec![json!("no such word"), json!(1), json!(null)])
        }
        Form::Boolean => (vec![json!(true), json!(false)], vec![json!("true"), json!(1)]),
        Form::Integer { min, max } => {
            let mut wrong = vec![json!(1.5), json!("1"), json!(null)];
            wrong.extend(min.checked_sub(1).map(Value::from));
            // A number without an upper end may be larger than the type.
            wrong.extend(max.checked_add(1).map(Value::from));
            (vec![json!(min), json!(max)], wrong)
        }
        Form::Object => (vec![json!({"a": 1})], vec![json!([]), json!("x")]),
    }
}

#[test]
fn settings_of_policies_are_documented_as_they_are_checked() {
    // Known in order to be refused with a reason.
    let offered = settings::SETTINGS.iter().filter(|setting| setting.key != "queue-master-locator");
    let offered: Vec<_> = offered.map(|setting| (setting.key, setting.operator)).collect();
    let documented: Vec<_> = SETTINGS.iter().map(|setting| (setting.field.name, setting.operator)).collect();
    assert_eq!(documented, offered);
    for documented in SETTINGS {
        let setting = settings::setting(documented.field.name).unwrap();
        let (fitting, wrong) = samples(documented.field.form);
        for value in fitting {
            assert_eq!(setting.refusal(&value), None, "{}: {value}", setting.key);
        }
        for value in wrong {
            assert!(setting.refusal(&value).is_some(), "{}: {value} is taken", setting.key);
        }
    }
}

#[test]
fn words_of_the_document_are_the_broker_s() {
    assert_eq!(APPLY_TO, ApplyTo::ALL.map(ApplyTo::as_str));
    for word in QUEUE_TYPES {
        assert_eq!(QueueKind::from_wire(word).unwrap().as_str(), *word);
    }
}
