//! What each mutation checks and does, on pictures built by other mutations.

use serde_json::json;

use super::users::{NewPassword, UserChange};
use super::{Directory, Plan, import, parameters, permissions, policies, users, vhosts};
use crate::domain::name::{ExchangeName, UserName, VhostName};
use crate::domain::parameter::{Document, Parameter};
use crate::domain::permission::{Permissions, TopicPermissions};
use crate::domain::policy::{ApplyTo, Policy, PolicyKind, Subject};
use crate::domain::queue::QueueKind;
use crate::domain::user::{HashAlgorithm, StoredPassword, UserLimits};
use crate::domain::vhost::VhostLimits;
use crate::error::{Error, Operation, Resource};
use crate::facade::{Definitions, ImportCounts, Put, PutVhost};

pub(super) fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

pub(super) fn vhost(name: &str) -> VhostName {
    VhostName::new(name).unwrap()
}

fn exchange(name: &str) -> ExchangeName {
    ExchangeName::new(name).unwrap()
}

pub(super) fn user_change(name: &str) -> UserChange {
    UserChange { name: user(name), password: NewPassword::Keep, tags: Vec::new(), limits: None }
}

pub(super) fn put_vhost(name: &str) -> PutVhost {
    PutVhost {
        name: vhost(name),
        description: String::new(),
        tags: Vec::new(),
        default_queue_type: QueueKind::Classic,
        protected_from_deletion: None,
        tracing: None,
    }
}

pub(super) fn row(who: &str, place: &str, pattern: &str) -> Permissions {
    let [configure, write, read] = [pattern; 3].map(str::to_owned);
    Permissions { user: user(who), vhost: vhost(place), configure, write, read }
}

fn topic_row(who: &str, place: &str, on: &str) -> TopicPermissions {
    TopicPermissions {
        user: user(who),
        vhost: vhost(place),
        exchange: exchange(on),
        write: "^a".into(),
        read: "^b".into(),
    }
}

fn policy(place: &str, name: &str, priority: i64) -> Policy {
    Policy {
        vhost: vhost(place),
        name: name.into(),
        pattern: "^q".into(),
        apply_to: ApplyTo::All,
        priority,
        definition: vec![("max-length".into(), json!(1))],
    }
}

fn parameter(component: &str, name: &str, value: Document) -> Parameter {
    Parameter { vhost: vhost("/"), component: component.into(), name: name.into(), value }
}

/// Applies a plan and says what it answers; a refused one must leave the picture alone.
fn step<T>(directory: &mut Directory, plan: impl FnOnce(&Directory) -> Result<Plan<T>, Error>) -> Result<T, String> {
    let plan = plan(directory).map_err(|error| error.to_string())?;
    directory.apply(&plan.changes);
    Ok(plan.outcome)
}

/// A node with user `u`, vhosts `/` and `v`, permissions and policies.
fn furnished() -> Directory {
    let mut directory = Directory::default();
    let d = &mut directory;
    step(d, |d| users::put(d, user_change("u"))).unwrap();
    step(d, |d| users::put(d, user_change("w"))).unwrap();
    for name in ["/", "v"] {
        step(d, |d| vhosts::put(d, put_vhost(name), Some(&user("u")))).unwrap();
        step(d, |d| permissions::set_topic(d, topic_row("u", name, "amq.topic"))).unwrap();
        step(d, |d| policies::put(d, PolicyKind::User, policy(name, "p", 0))).unwrap();
        step(d, |d| policies::put(d, PolicyKind::Operator, policy(name, "o", 0))).unwrap();
    }
    step(d, |d| permissions::set(d, row("w", "v", "^a"))).unwrap();
    step(d, |d| parameters::put(d, parameter("federation-upstream", "up", json!({"uri": "amqp://"})))).unwrap();
    directory
}

#[test]
fn a_user_keeps_what_is_not_given() {
    let mut directory = Directory::default();
    let d = &mut directory;
    let stored = StoredPassword { algorithm: HashAlgorithm::Sha256, hash: "AAA=".into() };
    let change =
        |password, limits| UserChange { password, limits, tags: vec!["t".into(), "t".into()], ..user_change("u") };
    let limits = |max_connections, max_channels| UserLimits { max_connections, max_channels };
    for (password, new_limits, put, kept, kept_limits) in [
        (NewPassword::Keep, None, Put::Created, None, limits(None, None)),
        (
            NewPassword::Set(stored.clone()),
            Some(limits(Some(1), None)),
            Put::Existed,
            Some(&stored),
            limits(Some(1), None),
        ),
        (NewPassword::Keep, Some(limits(None, Some(2))), Put::Existed, Some(&stored), limits(Some(1), Some(2))),
        (NewPassword::Clear, None, Put::Existed, None, limits(Some(1), Some(2))),
        (
            NewPassword::Set(StoredPassword { hash: String::new(), ..stored.clone() }),
            None,
            Put::Existed,
            None,
            limits(Some(1), Some(2)),
        ),
    ] {
        assert_eq!(step(d, |d| users::put(d, change(password, new_limits))), Ok(put));
        let user = &d.users["u"];
        assert_eq!((user.password.as_ref(), user.limits), (kept, kept_limits));
        assert_eq!(user.tags, ["t", "t"]);
    }
    assert_eq!(
        users::put(d, change(NewPassword::Keep, None)).unwrap().changes,
        [],
        "nothing changed, nothing is written"
    );
}

#[test]
fn users_that_break_a_rule_are_refused() {
    let directory = furnished();
    let password = NewPassword::Set(StoredPassword { algorithm: HashAlgorithm::Sha256, hash: "not-base64!".into() });
    for (change, expected) in [
        (UserChange { name: user(""), ..user_change("u") }, "user cannot be an empty string"),
        (
            UserChange { tags: vec![String::new(); 40], ..user_change("u") },
            "A user can have at most 32 tags (received 40)",
        ),
        (UserChange { password, ..user_change("u") }, "not_base64: not-base64!"),
    ] {
        assert_eq!(users::put(&directory, change).unwrap_err().to_string(), expected);
    }
    assert_eq!(users::delete(&directory, &user("x")), Err(Error::NoSuchUser(user("x"))));
    let limits = UserLimits::default();
    assert_eq!(users::set_limits(&directory, &user("x"), limits), Err(Error::NoSuchUser(user("x"))));
}

#[test]
fn a_deleted_user_takes_its_permissions_along() {
    let mut directory = furnished();
    step(&mut directory, |d| users::delete(d, &user("u"))).unwrap();
    assert!(directory.permissions.keys().all(|key| key.0 != user("u")));
    assert!(directory.topic_permissions.is_empty());
    assert!(directory.grant(&user("u"), &vhost("/")).is_none());
    assert!(directory.may_enter(&user("w"), &vhost("v")));
    assert!(directory.changes_since(&furnished()).users_deleted.contains("u"));
}

#[test]
fn a_put_replaces_the_metadata_of_a_vhost_and_keeps_its_protection() {
    let mut directory = furnished();
    let d = &mut directory;
    let put = PutVhost {
        description: "d".into(),
        tags: vec!["t".into()],
        default_queue_type: QueueKind::Quorum,
        ..put_vhost("v")
    };
    step(d, |d| vhosts::set_limits(d, &vhost("v"), VhostLimits { max_queues: Some(1), max_connections: None }))
        .unwrap();
    let protected = PutVhost { protected_from_deletion: Some(true), tracing: Some(true), ..put };
    assert_eq!(step(d, |d| vhosts::put(d, protected, None)), Ok(Put::Existed));
    assert_eq!(step(d, |d| vhosts::put(d, put_vhost("v"), None)), Ok(Put::Existed));
    let now = &d.vhosts["v"];
    assert_eq!((now.description.as_str(), now.tags.len(), now.default_queue_type), ("", 0, QueueKind::Classic));
    assert_eq!((now.protected_from_deletion, now.tracing, now.limits.max_queues), (Some(true), true, Some(1)));
    assert_eq!(
        step(d, |d| vhosts::delete(d, &vhost("v"))),
        Err("Refusing to delete virtual host 'v' because it is protected from deletion".into())
    );
    let unprotected = PutVhost { protected_from_deletion: Some(false), ..put_vhost("v") };
    step(d, |d| vhosts::put(d, unprotected, None)).unwrap();
    step(d, |d| vhosts::delete(d, &vhost("v"))).unwrap();
    assert_eq!(step(d, |d| vhosts::delete(d, &vhost("v"))), Err("vhost v not found".into()));
}

#[test]
fn a_deleted_vhost_takes_everything_in_it_along() {
    let mut directory = furnished();
    step(&mut directory, |d| vhosts::delete(d, &vhost("/"))).unwrap();
    assert!(directory.permissions.keys().all(|key| key.1 == vhost("v")));
    assert!(directory.topic_permissions.keys().all(|key| key.1 == vhost("v")));
    assert!(directory.policies.keys().chain(directory.operator_policies.keys()).all(|key| key.0 == vhost("v")));
    assert!(directory.parameters.is_empty());
    assert!(directory.policy_set(&vhost("/")).is_empty());
    assert!(!directory.policy_set(&vhost("v")).is_empty());
}

#[test]
fn the_creator_of_a_vhost_may_do_everything_in_it() {
    let mut directory = furnished();
    step(&mut directory, |d| vhosts::put(d, put_vhost("new"), Some(&user("w")))).unwrap();
    let queue = Resource::Queue(vhost("new"), crate::domain::name::QueueName::new("q").unwrap());
    assert!(directory.decide(&user("w"), Operation::Configure, &queue).is_allowed());
    let refused = directory.decide(&user("u"), Operation::Configure, &queue).to_string();
    assert_eq!(refused, "configure 'q' in vhost 'new' refused for user 'u': no permissions in the vhost");
    // A vhost that exists changes hands by no put.
    step(&mut directory, |d| vhosts::put(d, put_vhost("new"), Some(&user("u")))).unwrap();
    assert!(!directory.may_enter(&user("u"), &vhost("new")));
    assert_eq!(directory.vhosts_of(&user("w")).map(VhostName::as_str).collect::<Vec<_>>(), ["new", "v"]);
    assert_eq!(directory.vhosts_of(&user("u")).map(VhostName::as_str).collect::<Vec<_>>(), ["/", "v"]);
}

#[test]
fn permissions_need_both_ends_and_patterns() {
    let mut directory = furnished();
    let d = &mut directory;
    for (row, expected) in [
        (row("u", "/", "^a"), Ok(Put::Existed)),
        (row("w", "/", "^a"), Ok(Put::Created)),
        (row("x", "/", "^a"), Err("no such user: x")),
        (row("u", "x", "^a"), Err("vhost x not found")),
        (row("x", "x", "("), Err("vhost x not found")),
        (row("u", "/", "("), Err("invalid regular expression '(': missing ) at 1")),
    ] {
        let expected = expected.map_err(str::to_owned);
        assert_eq!(step(d, |d| permissions::set(d, row)), expected);
    }
    assert_eq!(step(d, |d| permissions::clear(d, &user("w"), &vhost("/"))), Ok(()));
    let missing = "no such permissions: user 'w' in vhost '/'";
    assert_eq!(step(d, |d| permissions::clear(d, &user("w"), &vhost("/"))), Err(missing.into()));
}

#[test]
fn topic_permissions_go_by_exchange() {
    let mut directory = furnished();
    let d = &mut directory;
    assert_eq!(step(d, |d| permissions::set_topic(d, topic_row("u", "/", "amq.topic"))), Ok(Put::Existed));
    assert_eq!(step(d, |d| permissions::set_topic(d, topic_row("u", "/", "t"))), Ok(Put::Created));
    let decide = |d: &Directory, on: &str, key: &str| {
        let (user, vhost, exchange) = (user("u"), vhost("/"), exchange(on));
        d.decide_topic(&user, Operation::Write, &vhost, &exchange, key).is_allowed()
    };
    assert!(decide(d, "t", "a") && !decide(d, "t", "b") && decide(d, "other", "b"));
    let (u, v) = (user("u"), vhost("/"));
    // One that has no row is a success as long as there are others.
    assert_eq!(step(d, |d| permissions::clear_topic(d, &u, &v, Some(&exchange("nosuch")))), Ok(()));
    assert_eq!(step(d, |d| permissions::clear_topic(d, &u, &v, Some(&exchange("t")))), Ok(()));
    assert!(decide(d, "t", "b") && !decide(d, "amq.topic", "b"));
    assert_eq!(step(d, |d| permissions::clear_topic(d, &u, &v, None)), Ok(()));
    assert!(step(d, |d| permissions::clear_topic(d, &u, &v, None)).is_err());
}

#[test]
fn policies_take_effect_with_the_picture_that_holds_them() {
    let mut directory = furnished();
    let d = &mut directory;
    let selected = |d: &Directory| {
        let selected = d.policy_set(&vhost("/")).select(Subject::Queue(QueueKind::Classic), "q");
        selected.user.map(|policy| policy.name.clone())
    };
    assert_eq!(selected(d).as_deref(), Some("p"));
    step(d, |d| policies::put(d, PolicyKind::User, policy("/", "higher", 9))).unwrap();
    assert_eq!(selected(d).as_deref(), Some("higher"));
    step(d, |d| policies::delete(d, PolicyKind::User, &vhost("/"), "higher")).unwrap();
    assert_eq!(selected(d).as_deref(), Some("p"));
    for (result, expected) in [
        (policies::put(d, PolicyKind::User, policy("x", "p", 0)).map(drop), "vhost x not found"),
        (policies::delete(d, PolicyKind::User, &vhost("/"), "o").map(drop), "no such policy: o"),
        (policies::delete(d, PolicyKind::Operator, &vhost("/"), "p").map(drop), "no such operator policy: p"),
        (
            policies::put(d, PolicyKind::User, Policy { definition: Vec::new(), ..policy("/", "p", 0) }).map(drop),
            "Validation failed\n\nno policy provided\n",
        ),
    ] {
        assert_eq!(result.unwrap_err().to_string(), expected);
    }
}

#[test]
fn parameters_go_where_their_component_says() {
    let mut directory = furnished();
    let d = &mut directory;
    for (component, name, value, expected) in [
        ("vhost-limits", "limits", json!({"max-queues": 5}), Ok(Put::Created)),
        ("vhost-limits", "limits", json!({"max-queues": 6}), Ok(Put::Existed)),
        ("vhost-limits", "other", json!({}), Err("Validation failed\n\nname not recognised: <<\"other\">>\n")),
        (
            "operator_policy",
            "op",
            json!({"pattern": "", "definition": {"expires": 1}, "priority": 1}),
            Ok(Put::Created),
        ),
        (
            "operator_policy",
            "op2",
            json!({"pattern": "", "definition": {}}),
            Err("Validation failed\n\nno policy provided\n"),
        ),
        ("policy", "p", json!({"pattern": ""}), Err("policies may not be set using this method")),
        ("federation-upstream", "up", json!({"uri": "amqp://x"}), Ok(Put::Existed)),
        ("federation-upstream", "up2", json!({"uri": "amqp://x"}), Ok(Put::Created)),
        ("nosuch", "n", json!(1), Err("Validation failed\n\ncomponent nosuch not found\n")),
    ] {
        let outcome = step(d, |d| parameters::put(d, parameter(component, name, value)));
        assert_eq!(outcome, expected.map_err(str::to_owned), "{component} {name}");
    }
    assert_eq!(d.vhosts["/"].limits.max_queues, Some(6));
    assert!(d.operator_policies.contains_key(&(vhost("/"), "op".to_owned())));
    for (component, name) in [("vhost-limits", "limits"), ("operator_policy", "op"), ("federation-upstream", "up2")] {
        assert_eq!(step(d, |d| parameters::delete(d, &vhost("/"), component, name)), Ok(()));
        let missing = format!("no such parameter: {name}");
        assert_eq!(step(d, |d| parameters::delete(d, &vhost("/"), component, name)), Err(missing));
    }
}

#[test]
fn global_parameters_hold_any_document() {
    let mut directory = Directory::default();
    let d = &mut directory;
    for (value, put) in
        [(json!(null), Put::Created), (json!({"a": [1]}), Put::Existed), (json!({"a": [1]}), Put::Existed)]
    {
        assert_eq!(step(d, |d| parameters::put_global(d, "n".into(), value.clone())), Ok(put));
        assert_eq!(d.global_parameters["n"], value);
    }
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    assert!(parameters::put_global(d, "n".into(), deep).is_err());
    assert_eq!(step(d, |d| parameters::delete_global(d, "n")), Ok(()));
    assert_eq!(step(d, |d| parameters::delete_global(d, "n")), Err("no such global parameter: n".into()));
}

#[test]
fn what_changed_is_told_by_kind() {
    let older = furnished();
    let mut newer = older.clone();
    newer.version += 1;
    let d = &mut newer;
    step(d, |d| users::put(d, UserChange { tags: vec!["t".into()], ..user_change("w") })).unwrap();
    step(d, |d| permissions::set(d, row("w", "/", ""))).unwrap();
    step(d, |d| policies::delete(d, PolicyKind::Operator, &vhost("/"), "o")).unwrap();
    step(d, |d| vhosts::put(d, put_vhost("new"), None)).unwrap();
    let difference = d.changes_since(&older);
    assert_eq!(difference.users_changed, [user("w")].into());
    assert_eq!(difference.permissions_changed, [(user("w"), vhost("/"))].into());
    assert_eq!(difference.policies_changed, [vhost("/")].into());
    assert_eq!(difference.vhosts_created, [vhost("new")].into());
    assert!(difference.users_deleted.is_empty() && difference.vhosts_deleted.is_empty());
    assert_eq!(d.changes_since(&d.clone()), super::Difference::default());
}

#[test]
fn a_thing_deleted_and_created_between_two_looks_is_another_thing() {
    let older = furnished();
    let mut newer = older.clone();
    for plan in [true, false] {
        newer.version += 1;
        if plan {
            step(&mut newer, |d| vhosts::delete(d, &vhost("v"))).unwrap();
            step(&mut newer, |d| users::delete(d, &user("w"))).unwrap();
        } else {
            step(&mut newer, |d| vhosts::put(d, put_vhost("v"), None)).unwrap();
            step(&mut newer, |d| users::put(d, user_change("w"))).unwrap();
        }
    }
    let difference = newer.changes_since(&older);
    assert_eq!(difference.vhosts_deleted, [vhost("v")].into());
    assert_eq!(difference.vhosts_created, [vhost("v")].into());
    assert_eq!(difference.users_deleted, [user("w")].into());
}

/// Everything of a picture, as an export writes it.
fn definitions(directory: &Directory) -> Definitions {
    Definitions {
        users: directory.users.values().cloned().collect(),
        vhosts: directory.vhosts.values().cloned().collect(),
        permissions: directory.permissions.values().cloned().collect(),
        topic_permissions: directory.topic_permissions.values().cloned().collect(),
        parameters: directory.parameters.values().cloned().collect(),
        global_parameters: directory.global_parameters.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        policies: directory.policies.values().cloned().collect(),
        operator_policies: directory.operator_policies.values().cloned().collect(),
        ..Definitions::default()
    }
}

#[test]
fn importing_an_export_recreates_everything_and_then_changes_nothing() {
    let exported = definitions(&furnished());
    let mut directory = Directory::default();
    let plan = import::plan(&directory, &exported, None).unwrap();
    let objects = 2 + 2 + 3 + 2 + 1 + 2 + 2;
    assert_eq!(plan.outcome.totals(), ImportCounts { created: objects, ..ImportCounts::default() });
    directory.apply(&plan.changes);

    let again = import::plan(&directory, &exported, None).unwrap();
    assert_eq!(again.outcome.totals(), ImportCounts { unchanged: objects, ..ImportCounts::default() });
    assert_eq!(again, Plan::nothing(again.outcome.clone()));
    assert_eq!(import::plan(&directory, &definitions(&directory), None).unwrap(), again);
    assert_eq!(directory.changes_since(&furnished()), super::Difference::default());
}

#[test]
fn an_import_changes_what_differs_and_gives_its_author_new_vhosts() {
    let mut directory = furnished();
    let other = Policy { priority: 7, ..policy("/", "p", 0) };
    let imported = Definitions {
        vhosts: vec![std::sync::Arc::new(crate::domain::vhost::Vhost {
            name: vhost("new"),
            description: String::new(),
            tags: Vec::new(),
            default_queue_type: QueueKind::Stream,
            protected_from_deletion: None,
            tracing: false,
            limits: VhostLimits { max_queues: Some(3), max_connections: None },
        })],
        policies: vec![other.into()],
        ..Definitions::default()
    };
    let plan = import::plan(&directory, &imported, Some(&user("u"))).unwrap();
    assert_eq!(plan.outcome.totals(), ImportCounts { created: 1, updated: 1, ..ImportCounts::default() });
    directory.apply(&plan.changes);
    assert!(directory.may_enter(&user("u"), &vhost("new")));
    assert_eq!(directory.vhosts["new"].limits.max_queues, Some(3));
}

#[test]
fn a_refused_import_names_the_object() {
    let directory = furnished();
    let orphan = "Please create virtual host \"gone\" prior to importing definitions.";
    for (imported, expected) in [
        (Definitions { permissions: vec![row("u", "gone", "").into()], ..Definitions::default() }, orphan),
        (Definitions { topic_permissions: vec![topic_row("u", "gone", "x").into()], ..Definitions::default() }, orphan),
        (Definitions { policies: vec![policy("gone", "p", 0).into()], ..Definitions::default() }, orphan),
        (
            Definitions {
                users: vec![directory.users["u"].clone()],
                permissions: vec![row("u", "/", "[").into()],
                ..Definitions::default()
            },
            "invalid regular expression '[': missing terminating ] for character class at 1 (permissions of user: \"u\" vhost: \"/\")",
        ),
        (
            Definitions { permissions: vec![row("x", "/", "").into()], ..Definitions::default() },
            "no such user: x (permissions of user: \"x\" vhost: \"/\")",
        ),
        (
            Definitions {
                policies: vec![Policy { definition: vec![("bogus".into(), json!(1))], ..policy("/", "p", 0) }.into()],
                ..Definitions::default()
            },
            "Validation failed\n\n[{<<\"bogus\">>,1}] are not recognised policy settings\n (vhost: \"/\" key: \"p\")",
        ),
        (
            Definitions { parameters: vec![parameter("nosuch", "n", json!(1)).into()], ..Definitions::default() },
            "Validation failed\n\ncomponent nosuch not found\n (vhost: \"/\" / component: \"nosuch\" / key: \"n\")",
        ),
    ] {
        assert_eq!(import::plan(&directory, &imported, None).unwrap_err().to_string(), expected);
    }
}
