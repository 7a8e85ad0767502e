#!/bin/bash
# Provisions a broker as a team's script does, and may be run again at any time.
#   provision.sh FOLDER      rabbitmqctl and its like on the path; $ADMIN is rabbitmqadmin with what finds the HTTP API
set -euo pipefail
folder=$1
read -ra admin <<<"$ADMIN"
vhost=provisioned

rabbitmqctl --quiet await_startup --timeout 60
rabbitmqctl wait --pid "$(rabbitmqctl status --formatter json --quiet | jq .pid)" --timeout 60 --quiet
rabbitmq-diagnostics --quiet ping >/dev/null
rabbitmq-diagnostics --quiet check_running >/dev/null
rabbitmq-diagnostics check_local_alarms --silent

# Virtual hosts: asked for first, or made whatever is there.
if ! rabbitmqctl list_vhosts --silent | grep -qxF "$vhost"; then
  rabbitmqctl add_vhost "$vhost" --description "of a script" --tags qa,eu
fi
rabbitmqctl -q update_vhost_metadata "$vhost" --description "of a script, again" --tags qa,eu >/dev/null
rabbitmqctl list_vhosts name -q | awk 'NR > 1 { print $1 }' | grep -qx "$vhost"
rabbitmqctl -q set_permissions -p "$vhost" guest '.*' '.*' '.*'

# Users: added when missing, else given their password again.
add_user() { # NAME PASSWORD TAG...
  local name=$1 password=$2
  shift 2
  if rabbitmqctl list_users --formatter json | jq -e --arg name "$name" 'any(.[]; .user == $name)' >/dev/null; then
    rabbitmqctl -q change_password "$name" "$password"
  else
    printf '%s\n' "$password" | rabbitmqctl -q add_user "$name"
  fi
  rabbitmqctl -q set_user_tags "$name" "$@"
  rabbitmqctl -q authenticate_user "$name" "$password" >/dev/null
}
add_user script-admin 'p@ss "word" $1' administrator
add_user script-monitor monitor monitoring management
add_user script-service service
rabbitmqctl -q add_user script-service again 2>/dev/null && exit 1
rabbitmqctl add_user script-leaver secret >/dev/null 2>&1 || true
rabbitmqctl delete_user script-leaver >/dev/null
rabbitmqctl delete_user script-leaver >/dev/null 2>&1 || true
rabbitmqctl list_users -q --no-table-headers | cut -f1 | sort | grep '^script-' >"$folder/users"
while read -r user; do
  rabbitmqctl -q set_permissions -p "$vhost" "$user" "^$user-.*" '.*' '.*'
done <"$folder/users"
rabbitmqctl -q set_topic_permissions -p "$vhost" script-service amq.topic '^service\.' '.*'
rabbitmqctl -q clear_permissions -p "$vhost" script-monitor
rabbitmqctl -q set_user_limits script-service '{"max-connections": 20, "max-channels": 200}'

# Policies, limits and parameters: set again, they are as they were.
rabbitmqctl -q set_policy -p "$vhost" --apply-to queues --priority 10 lengths '^orders\.' '{"max-length": 10000, "overflow": "reject-publish"}'
rabbitmqctl set_policy -p "$vhost" letters '.*' '{"dead-letter-exchange":"dead"}' --apply-to quorum_queues | tail -n 1 | grep -q letters
rabbitmqctl -q set_operator_policy -p "$vhost" ceiling '.*' '{"max-length-bytes": 1073741824}' --apply-to queues
rabbitmqctl -q set_vhost_limits -p "$vhost" '{"max-connections": 100, "max-queues": 50}'
rabbitmqctl -q set_global_parameter provisioned_by '{"script": "provision.sh", "revision": 3}'
rabbitmqctl -q set_cluster_name script@example.org
rabbitmqctl -q clear_policy -p "$vhost" nonesuch 2>"$folder/trouble" || grep -q 'does not exist\|Parameter does not exist' "$folder/trouble"

# Feature flags and plugins.
rabbitmqctl -q enable_feature_flag all
disabled=$(rabbitmqctl list_feature_flags name state -q | awk -F'\t' '$2 == "disabled"' | wc -l)
[ "$disabled" -eq 0 ]
if ! rabbitmq-plugins is_enabled rabbitmq_management --quiet >/dev/null; then
  rabbitmq-plugins enable rabbitmq_management
fi
rabbitmq-plugins list --enabled --minimal --silent | sort | grep -qx rabbitmq_management

# Exchanges, queues and bindings over HTTP.
"${admin[@]}" --vhost="$vhost" declare exchange name=orders type=topic durable=true >/dev/null
"${admin[@]}" --vhost="$vhost" declare exchange name=dead type=fanout >/dev/null
for region in eu us; do
  "${admin[@]}" -q -V "$vhost" declare queue "name=orders.$region" durable=true 'arguments={"x-queue-type": "quorum"}'
  "${admin[@]}" -q -V "$vhost" declare binding source=orders "destination=orders.$region" destination_type=queue "routing_key=$region.#"
done
"${admin[@]}" -q -V "$vhost" declare queue name=dead durable=true auto_delete=false
"${admin[@]}" -q -V "$vhost" declare binding source=dead destination=dead
"${admin[@]}" -q -V "$vhost" publish exchange=orders routing_key=eu.berlin payload=hello
"${admin[@]}" -V "$vhost" -f raw_json get queue=orders.eu ackmode=ack_requeue_false | jq -e '.[0].payload == "hello"' >/dev/null

# What monitoring asks every minute.
rabbitmqctl list_queues -p "$vhost" name messages consumers --silent | while IFS=$'\t' read -r name messages consumers; do
  [ "$messages" -eq 0 ] || { echo "$name has $messages messages and $consumers consumers"; exit 1; }
done
depth=$(rabbitmqctl -p "$vhost" --silent list_queues name messages | awk '$1 == "orders.eu" { print $2 }')
[ "$depth" = 0 ]
total=$(rabbitmqctl list_queues -p "$vhost" --formatter json --silent name | jq length)
[ "$total" -eq 3 ]
