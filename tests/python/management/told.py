"""An answer as one line: status, what is wrong, or what is there. What changes from run to run is left out."""
import json
import re

# What objects are told by; everything else is statistics or belongs to the node.
TELLING = frozenset("""
    name vhost type durable auto_delete internal exclusive arguments policy operator_policy pattern definition priority apply-to
    value component source destination destination_type routing_key properties_key tags description metadata
    default_queue_type tracing protected_from_deletion user configure write read exchange limits hashing_algorithm
    total_count item_count filtered_count page page_size page_count items payload payload_bytes payload_encoding
    properties redelivered message_count routed status missing is_internal_user error reason
    consumer_tag ack_required active queue number protocol auth_attempts
    users vhosts permissions topic_permissions parameters global_parameters policies queues exchanges
    bindings users_deleted
""".split())
# A node's own, which says nothing of an answer.
# Statistics tell these too, when there are any.
POLICIES = ("policy", "operator_policy")
HEADERS = ("location", "www-authenticate")
LONG = 60


def shortened(text):
    return text if len(text) <= LONG else f"{text[:20]}...{len(text.encode())}"


def told(value, every=False):
    """What is left of a JSON value."""
    match value:
        case dict():
            return {name: told(one, every or name in ("arguments", "definition", "value", "limits", "metadata", "properties"))
                    for name, one in value.items() if every or name in TELLING and not (name in POLICIES and one is None)}
        case list():
            return [told(one, every) for one in value]
        case str():
            return shortened(value)
    return value


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def names(value):
    """What tells the objects of a list apart."""
    if not isinstance(value, dict):
        return shortened(value) if isinstance(value, str) else compact(value)
    if "destination" in value:
        return f"{value.get('source')}->{value['destination']}/{value.get('properties_key')}"
    for name in ("name", "user", "consumer_tag", "vhost", "component", "status"):
        if name in value:
            return shortened(str(value[name]))
    return compact(told(value))


def line(answer, method, every=False, listed=None):
    """The line of an answer. `listed` says which names of a list count."""
    parts = [str(answer.status)]
    if method == "OPTIONS" or answer.status == 405:
        parts.append("allow " + " ".join(sorted(re.split(r",\s*", answer.headers.get("allow", "-")))))
    parts += [f"{name} {answer.headers[name]}" for name in HEADERS if name in answer.headers]
    kind = answer.headers.get("content-type", "")
    value = answer.value
    if not answer.body:
        pass
    elif not kind.startswith("application/json"):
        parts.append(kind.split(";")[0])
    elif isinstance(value, dict) and "error" in value:
        reason = value.get("reason")
        parts.append(f"{value['error']}: {reason if isinstance(reason, str) else '(term)'}")
    elif isinstance(value, dict) and "bindings" in value:
        parts.append(compact({kind: sorted(map(names, some)) for kind, some in value.items() if isinstance(some, list)
                              and listed is None}))
    elif isinstance(value, list) and not every:
        found = [names(one) for one in value]
        parts.append("[" + ", ".join(one for one in found if listed is None or listed(one)) + "]")
    elif isinstance(value, dict) and isinstance(value.get("items"), list) and not every:
        page = {name: one for name, one in value.items() if name != "items"}
        parts.append(compact(page) + " [" + ", ".join(map(names, value["items"])) + "]")
    else:
        parts.append(compact(told(value, every)))
    # The files of answers are text.
    return " ".join(parts).replace("\0", r"\x00")
