#!/bin/bash
# A live RabbitMQ 4.3 beside Warren, from Debian's packages alone (about 2 minutes the first time, 7 s after). Needs root.
#
#   tests/live-rabbitmq.sh start           AMQP 5692, management 15693, Prometheus 15694, all on loopback, guest/guest
#   tests/live-rabbitmq.sh ctl TOOL ARGS…  rabbitmqctl, rabbitmq-diagnostics, rabbitmq-plugins, rabbitmq-queues, bash, …
#   tests/live-rabbitmq.sh pid             process id of the running node
#   tests/live-rabbitmq.sh stop            waits until it has ended
#   tests/live-rabbitmq.sh wipe            empties the data directory of a stopped node
#
# LIVE_RABBITMQ       directory of the minimal Debian tree it runs in [default: .live-rabbitmq in the home directory]
# LIVE_RABBITMQ_PORT  AMQP port of the node [default: 5692]; nodes on different ports are independent and can run together.
#                     Management listens on that port + 10001, Prometheus + 10002, distribution + 20000.
#
# Debian's own patch leaves transient non-exclusive queues permitted, as Warren does; upstream 4.3 refuses them.
set -euo pipefail

tree=${LIVE_RABBITMQ:-$HOME/.live-rabbitmq}
port=${LIVE_RABBITMQ_PORT:-5692}
if [ "$port" = 5692 ]; then
  home=/live node=live@localhost
else
  home=/live/$port node=live-$port@localhost
fi
# Its default of 1024 open files is not enough for a thousand busy queues.
files=$(ulimit -Hn)
[ "$files" != unlimited ] || files=65536
management=$((port + 10001)) prometheus=$((port + 10002)) distribution=$((port + 20000))

inside() {
  chroot "$tree" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    RABBITMQ_NODENAME="$node" RABBITMQ_NODE_PORT="$port" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 \
    RABBITMQ_DIST_PORT="$distribution" RABBITMQ_CONFIG_FILE="$home/rabbitmq.conf" \
    RABBITMQ_ENABLED_PLUGINS_FILE="$home/enabled_plugins" RABBITMQ_MNESIA_BASE="$home/data" \
    RABBITMQ_LOG_BASE="$home/log" RABBITMQ_LOGS="$home/log/live.log" RABBITMQ_PID_FILE="$home/pid" \
    RABBITMQ_MAX_OPEN_FILES="$files" "$@"
}

running() { [ -f "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

make_tree() {
  command -v mmdebstrap >/dev/null || { apt-get update -qq; apt-get install -y -qq mmdebstrap >/dev/null; }
  mkdir -p "$tree"
  mirror=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null || true; } |
    grep -v '^#' | grep -oE 'https?://[^ ]+' | grep -v security | head -n 1)
  mmdebstrap -q --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' \
    --include=rabbitmq-server,procps,iproute2,ca-certificates sid "$tree" "$mirror"
  mkdir -p "$tree/live"
  echo '127.0.0.1 localhost' > "$tree/etc/hosts"
  touch "$tree/live/made"
}

make_home() {
  mkdir -p "$tree$home/data" "$tree$home/log"
  [ -f "$tree$home/enabled_plugins" ] || echo '[rabbitmq_management,rabbitmq_prometheus,rabbitmq_shovel,rabbitmq_shovel_management,rabbitmq_federation,rabbitmq_federation_management].' > "$tree$home/enabled_plugins"
  [ -f "$tree$home/rabbitmq.conf" ] || printf '%s\n' \
    "management.tcp.port = $management" 'management.tcp.ip = 127.0.0.1' \
    "prometheus.tcp.port = $prometheus" 'prometheus.tcp.ip = 127.0.0.1' > "$tree$home/rabbitmq.conf"
  # The whole tree would include the data of other nodes.
  chroot "$tree" chown rabbitmq: "$home" "$home/enabled_plugins" "$home/rabbitmq.conf"
  chroot "$tree" chown -R rabbitmq: "$home/data" "$home/log"
}

case ${1:-start} in
start)
  if running "$tree$home/pid"; then echo "already running: AMQP $port"; exit 0; fi
  [ -f "$tree/live/made" ] || make_tree
  make_home
  mountpoint -q "$tree/proc" || mount --bind /proc "$tree/proc"
  inside setsid nohup rabbitmq-server > "$tree$home/console" 2>&1 < /dev/null &
  for _ in $(seq 90); do
    if running "$tree$home/pid" && curl -fs -u guest:guest "http://127.0.0.1:$management/api/overview" > /dev/null 2>&1; then
      echo "ready: AMQP $port, management $management, Prometheus $prometheus"
      exit 0
    fi
    sleep 1
  done
  tail -5 "$tree$home/console"
  exit 1
  ;;
ctl)
  shift
  inside "$@"
  ;;
pid)
  running "$tree$home/pid" || { echo "not running" >&2; exit 1; }
  cat "$tree$home/pid"
  ;;
stop)
  if running "$tree$home/pid"; then inside rabbitmqctl -q stop "$home/pid"; fi
  # Other nodes of the tree still need it.
  for other in "$tree"/live/pid "$tree"/live/*/pid; do if running "$other"; then exit 0; fi; done
  if mountpoint -q "$tree/proc"; then umount "$tree/proc" || true; fi
  ;;
wipe)
  if running "$tree$home/pid"; then echo "still running" >&2; exit 1; fi
  rm -rf "$tree$home/data" "$tree$home/log" "$tree$home/pid"
  ;;
*)
  sed -n '2,13p' "$0"
  exit 64
  ;;
esac
