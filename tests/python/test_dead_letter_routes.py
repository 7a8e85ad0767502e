"""Where dead letters go: keys, exchanges, policies, and in circles, as recorded from the reference."""
from stage import SHORT_MS, kind, s, to

def test_keys_are_kept(s):
    s.exchange("in", "topic")
    s.exchange("out", "topic")
    s.queue("q", dead_letter_exchange="out")
    s.queue("d")
    s.bind("q", "in", "a.#")
    s.bind("d", "out", "a.*")
    s.publish("a.b", exchange="in")
    s.reject("q")
    s.arrives("d")


def test_further_keys_are_kept(s):
    s.exchange("in", "direct")
    s.exchange("out", "direct")
    for name in ["d1", "d2", "d3"]:
        s.queue(name)
        s.bind(name, "out", name)
    s.queue("q", dead_letter_exchange="out")
    s.bind("q", "in", "d1")
    s.publish("d1", exchange="in", headers={"CC": ["d2"], "BCC": ["d3"]})
    s.reject("q")
    for name in ["d1", "d2", "d3"]:
        s.arrives(name)


def test_further_keys_are_replaced(s):
    s.exchange("out", "direct")
    for name in ["d1", "d2", "d3", "d4"]:
        s.queue(name)
        s.bind(name, "out", name)
    s.exchange("in", "direct")
    s.queue("q", dead_letter_exchange="out", dead_letter_routing_key="d4")
    s.bind("q", "in", "d1")
    s.publish("d1", exchange="in", headers={"CC": ["d2"], "BCC": ["d3"]})
    s.reject("q")
    s.arrives("d4")
    s.empties("d1", "d2", "d3")


def test_replaced_keys_stay_replaced(s):
    s.exchange("out", "direct")
    s.exchange("last", "fanout")
    s.queue("q", dead_letter_exchange="out", dead_letter_routing_key="r")
    s.queue("r", dead_letter_exchange="last")
    s.bind("r", "out", "r")
    s.queue("d")
    s.bind("d", "last")
    s.publish("q", headers={"CC": ["elsewhere"]})
    s.reject("q")
    s.reject("r")
    s.arrives("d")


def test_round_and_round(s):
    s.queue("q", **to("q"))
    s.publish("q")
    for tag in range(1, 4):
        s.arrives("q", ack=False)
        s.channel.basic_reject(tag, requeue=False)
    s.arrives("q")


def test_round_two(s):
    s.queue("a", message_ttl=SHORT_MS, **to("b"))
    s.queue("b", **to("a"))
    s.publish("a", expiration="1000")
    s.arrives("b", ack=False)
    s.channel.basic_reject(1, requeue=False)
    s.arrives("b", ack=False)
    s.channel.basic_reject(2, requeue=False)
    s.arrives("b")


def test_round_three(s):
    for name in "abc":
        s.exchange("x" + name, "fanout")
        s.queue(name, dead_letter_exchange="x" + name)
    for name, following in [("a", "b"), ("b", "c"), ("c", "a")]:
        s.bind(following, "x" + name)
    s.publish("a")
    for tag, name in enumerate("abcabc", start=1):
        s.arrives(name, ack=False)
        s.channel.basic_reject(tag, requeue=False)
    s.arrives("a")


def test_a_cycle_nobody_rejected_in_ends(s):
    s.queue("q", message_ttl=SHORT_MS, **to("q"))
    s.publish("q")
    s.empties("q")


def test_a_cycle_over_three_nobody_rejected_in_ends(s):
    s.exchange("x", "fanout")
    s.queue("a", message_ttl=SHORT_MS, **to("b"))
    s.queue("b", message_ttl=SHORT_MS, **to("c"))
    s.queue("c", message_ttl=SHORT_MS, dead_letter_exchange="x")
    s.queue("d")
    s.bind("a", "x")
    s.bind("d", "x")
    s.publish("a")
    s.arrives("d")
    s.empties("a", "b", "c")


def test_a_rejection_before_the_cycle_does_not_count(s):
    s.queue("q", **to("a"))
    s.queue("a", message_ttl=SHORT_MS, **to("b"))
    s.queue("b", message_ttl=SHORT_MS, **to("a"))
    s.publish("q")
    s.reject("q")
    s.empties("q", "a", "b")


def test_different_reasons_in_one_queue(s):
    s.queue("q", message_ttl=SHORT_MS, **to("r"))
    s.queue("r", **to("q"))
    s.queue("d")
    s.publish("q")
    s.reject("r")
    s.arrives("r", ack=False)
    s.channel.basic_reject(2, requeue=False)
    s.arrives("r")


def test_many_targets(s):
    s.exchange("x", "fanout")
    s.queue("q", dead_letter_exchange="x")
    for name in ["a", "b"]:
        s.queue(name, **to("d"))
        s.bind(name, "x")
    s.queue("d")
    s.publish("q")
    s.reject("q")
    for name in ["a", "b"]:
        s.reject(name)
        s.arrives("d")


def test_an_exchange_that_is_missing(s):
    s.queue("q", dead_letter_exchange="nowhere")
    s.publish("q")
    s.reject("q")
    s.empties("q")


def test_an_exchange_that_comes_later(s):
    s.queue("q", dead_letter_exchange="later")
    s.queue("d")
    s.publish("q", "lost")
    s.reject("q")
    s.empties("q")
    s.exchange("later", "fanout")
    s.bind("d", "later")
    s.publish("q", "found")
    s.reject("q")
    s.arrives("d")


def test_an_exchange_that_went(s):
    s.exchange("x", "fanout")
    s.queue("q", dead_letter_exchange="x")
    s.queue("d")
    s.bind("d", "x")
    s.publish("q", "first")
    s.reject("q")
    s.arrives("d")
    s.channel.exchange_delete("x")
    s.publish("q", "second")
    s.reject("q")
    s.empties("q", "d")


def test_an_alternate_exchange_behind(s):
    s.exchange("rest", "fanout")
    s.exchange("x", "direct", arguments={"alternate-exchange": "rest"})
    s.queue("q", dead_letter_exchange="x")
    s.queue("d")
    s.bind("d", "rest")
    s.publish("q")
    s.reject("q")
    s.arrives("d")


def test_an_internal_exchange(s):
    s.exchange("x", "fanout", internal=True)
    s.queue("q", dead_letter_exchange="x")
    s.queue("d")
    s.bind("d", "x")
    s.publish("q")
    s.reject("q")
    s.arrives("d")


def test_an_exchange_by_headers(s):
    s.exchange("x", "headers")
    s.queue("q", dead_letter_exchange="x")
    s.queue("d")
    s.bind("d", "x", arguments={"x-match": "all-with-x", "x-first-death-queue": "q"})
    s.queue("e")
    s.bind("e", "x", arguments={"x-match": "all", "mine": 1})
    s.publish("q", headers={"mine": 1})
    s.reject("q")
    s.arrives("e")
    s.holds("d", 1)
    s.arrives("d")


def test_a_policy_says_where(s):
    s.policy("dlx", "^q$", dead_letter_exchange="", dead_letter_routing_key="d")
    s.queue("q")
    s.queue("d")
    s.publish("q")
    s.reject("q")
    s.arrives("d")


def test_an_argument_before_a_policy(s):
    s.policy("dlx", "^q$", dead_letter_exchange="nowhere", dead_letter_routing_key="e")
    s.queue("q", **to("d"))
    s.queue("d")
    s.queue("e")
    s.publish("q")
    s.reject("q")
    s.arrives("d")
    s.empties("e")


def test_a_policy_s_key_with_an_argument_s_exchange(s):
    s.policy("dlx", "^q$", dead_letter_routing_key="d")
    s.queue("q", dead_letter_exchange="")
    s.queue("d")
    s.publish("q")
    s.reject("q")
    s.arrives("d")
