#!/bin/sh
# The C library's tools: amqp-declare-queue, amqp-publish, amqp-get, amqp-consume, amqp-delete-queue.
set -eu
# To this library a URL with a slash at the end names the virtual host without a name.
AMQP_URL=${AMQP_URL%/}
queue="clients-tools-$$"
trap 'amqp-delete-queue --url "$AMQP_URL" -q "$queue" >/dev/null 2>&1 || true' EXIT

ok() { # WHAT SEEN EXPECTED
  if [ "$2" != "$3" ]; then
    echo "$1: [$2] instead of [$3]"
    exit 1
  fi
  echo "ok $1"
}

ok "a queue is declared" "$(amqp-declare-queue --url "$AMQP_URL" -q "$queue" -d)" "$queue"
amqp-publish --url "$AMQP_URL" -r "$queue" -p -b "first"
printf 'second\nthird\n' | amqp-publish --url "$AMQP_URL" -r "$queue" -l
ok "a message is got" "$(amqp-get --url "$AMQP_URL" -q "$queue")" "first"
ok "messages are consumed in order" "$(amqp-consume --url "$AMQP_URL" -q "$queue" -c 2 -p 1 cat)" "$(printf 'second\nthird')"
status=0
amqp-get --url "$AMQP_URL" -q "$queue" || status=$?
ok "an empty queue says so" "$status" 2

# Larger than a frame, through a topic exchange to a queue of the server's naming.
head -c 400000 /dev/zero | tr '\0' x > "${TMPDIR:-/tmp}/$queue"
amqp-publish --url "$AMQP_URL" -r "$queue" < "${TMPDIR:-/tmp}/$queue"
ok "a large body returns whole" "$(amqp-get --url "$AMQP_URL" -q "$queue" | wc -c | tr -d ' ')" 400000
rm -f "${TMPDIR:-/tmp}/$queue"

status=0
said=$(amqp-get --url "$AMQP_URL" -q "$queue-absent" 2>&1) || status=$?
case $said in
  *"404"*"NOT_FOUND - no queue '$queue-absent' in vhost '/'"*) ok "a missing queue is refused" "$status" 1 ;;
  *) ok "a missing queue is refused" "$said" "404 NOT_FOUND" ;;
esac
status=0
said=$(amqp-get --url "$(echo "$AMQP_URL" | sed 's/guest:guest/guest:wrong/')" -q "$queue" 2>&1) || status=$?
case $said in
  *"403"*"ACCESS_REFUSED"*) ok "a wrong password is refused" "$status" 1 ;;
  *) ok "a wrong password is refused" "$said" "403 ACCESS_REFUSED" ;;
esac
ok "a queue is deleted" "$(amqp-delete-queue --url "$AMQP_URL" -q "$queue")" 0
