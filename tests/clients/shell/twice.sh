#!/bin/bash
# Runs provision.sh twice, and looks at what its readers may do to a command.
set -euo pipefail
cd "$(dirname "$0")"
folder=$(mktemp -d)
vhost=provisioned
trap 'rm -r "$folder"' EXIT

ok() { # WHAT SEEN EXPECTED
  if [ "$2" != "$3" ]; then
    diff <(echo "$2") <(echo "$3") || true
    echo "$1: the first is seen, the second expected"
    exit 1
  fi
  echo "ok $1"
}

# What each command prints about all that was provisioned.
state() {
  rabbitmqctl list_vhosts name description tags default_queue_type tracing
  rabbitmqctl list_users
  for user in script-admin script-monitor script-service; do
    rabbitmqctl list_user_permissions "$user"
    rabbitmqctl list_user_topic_permissions "$user"
  done
  rabbitmqctl list_user_limits --user script-service
  rabbitmqctl list_permissions -p "$vhost"
  rabbitmqctl list_topic_permissions -p "$vhost"
  rabbitmqctl list_policies -p "$vhost"
  rabbitmqctl list_operator_policies -p "$vhost"
  rabbitmqctl list_parameters -p "$vhost"
  rabbitmqctl list_vhost_limits -p "$vhost"
  rabbitmqctl list_global_parameters | grep -v internal_cluster_id
  rabbitmqctl list_exchanges -p "$vhost" name type durable auto_delete internal arguments policy
  rabbitmqctl list_queues -p "$vhost" name durable auto_delete arguments policy operator_policy type messages | sort
  rabbitmqctl list_bindings -p "$vhost" | sort
  rabbitmq-plugins list --enabled --minimal
  rabbitmqctl cluster_status --formatter json | jq -r .cluster_name
}

status=0
./provision.sh "$folder" >"$folder/first" 2>&1 || status=$?
ok "the script runs" "$status $(cat "$folder/first")" "0 Adding vhost \"$vhost\" ..."
state >"$folder/state"
status=0
./provision.sh "$folder" >"$folder/second" 2>&1 || status=$?
ok "the script runs again and says nothing" "$status $(cat "$folder/second")" "0 "
ok "nothing has changed" "$(state)" "$(cat "$folder/state")"

ok "a listing is read by awk" "$(rabbitmqctl list_policies -p "$vhost" -q | awk -F'\t' 'NR > 1 { print $2, $3, $4, $6 }' | sort)" \
  'lengths ^orders\. queues 10
letters .* quorum_queues 0'
ok "a cell of JSON is read by jq" \
  "$(rabbitmqctl list_policies -p "$vhost" -s | awk -F'\t' '$2 == "lengths" { print $5 }' | jq -r .overflow)" reject-publish
ok "a count" "$(rabbitmqctl list_queues -p "$vhost" -s | wc -l | tr -d ' ')" 3
ok "a number of one line" "$(rabbitmqctl list_vhost_limits -p "$vhost" -q | jq '."max-queues"')" 50
ok "the exit code of a missing user" "$(rabbitmqctl change_password nobody secret >/dev/null 2>&1; echo $?)" 67
ok "complaints are on the other output" "$(rabbitmqctl -q set_policy -p "$vhost" bad '(' '{}' 2>/dev/null || echo "failed $?")" "failed 69"

# A reader that has read enough: with pipefail the command's own status counts.
rabbitmqctl -q list_queues -p "$vhost" | head -n 1 >/dev/null
rabbitmqctl help | head -n 1 >/dev/null
rabbitmqctl environment 2>"$folder/trouble" | head -n 1 >/dev/null
rabbitmqctl report 2>>"$folder/trouble" | head -n 1 >/dev/null
rabbitmqctl list_exchanges -p "$vhost" 2>>"$folder/trouble" | true
rabbitmqctl export_definitions - 2>>"$folder/trouble" | head -c 1 >/dev/null
"$(command -v rabbitmqctl)" list_vhosts 2>>"$folder/trouble" | grep -q .
ok "a reader that goes away is no trouble" "$(cat "$folder/trouble")" ""
