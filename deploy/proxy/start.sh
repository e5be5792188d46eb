#!/bin/sh
# Starts the proxy in a container or a pod: writes what differs from place to place beside a copy of the
# configuration, and becomes nginx. The variables, each with its default:
#   PROXY_RUN        /run/proxy   a writable directory, for the copy, the cache and large bodies
#   API_ADDRESS      api:6606     where the API is: a name stands for all its addresses; more with spaces between them
#   PROXY_PORT       8080         plain HTTP
#   PROXY_TLS_PORT   8443         TLS, if there is a certificate:
#   TLS_DIRECTORY    /run/tls     tls.crt and tls.key, as a Kubernetes secret names them
#   BALANCERS        none         networks of the load balancers before this proxy, with spaces between them,
#                                 whose X-Forwarded-* headers are believed: "10.0.0.0/8 192.168.0.0/16"
set -eu
run=${PROXY_RUN:-/run/proxy}
tls=${TLS_DIRECTORY:-/run/tls}
mkdir -p "$run/tmp"
cp "$(dirname "$0")"/*.conf "$run"

replicas() {
    for address in ${API_ADDRESS:-api:6606}; do
        getent ahostsv4 "${address%:*}" | awk -v port="${address##*:}" '{ print $1 ":" port }'
    done | sort -u
}
# The replicas of $2 whose probe $1 is green. /readyz waits up to three seconds for the database.
green() {
    for replica in $2; do
        { curl --fail --silent --output /dev/null --max-time 4 "http://$replica$1" && echo "$replica"; } &
    done | sort
}
write_replicas() {
    for replica in $1; do echo "server $replica max_fails=0;"; done >"$run/replicas.conf"
    for replica in $1; do echo "server $replica max_fails=1 fail_timeout=1s;"; done >"$run/replicas_once.conf"
}
until known=$(replicas) && [ -n "$known" ]; do sleep 1; done
write_replicas "$known"

{
    echo "listen ${PROXY_PORT:-8080};"
    if [ -r "$tls/tls.crt" ]; then
        echo "listen ${PROXY_TLS_PORT:-8443} ssl;"
        echo "ssl_certificate $tls/tls.crt;"
        echo "ssl_certificate_key $tls/tls.key;"
        echo "ssl_protocols TLSv1.2 TLSv1.3;"
        echo "ssl_session_cache shared:tls:5m;"
        echo "ssl_session_tickets off;"
    fi
} >"$run/listen.conf"
for network in ${BALANCERS-}; do
    echo "$network 1;"
done >"$run/balancers.conf"
for network in ${BALANCERS-}; do
    echo "set_real_ip_from $network;"
done >"$run/real_ip.conf"

# One that starts gets requests when it is ready, one that stops gets none any more before it refuses them. Where none is
# ready, those that are alive get them: the API says what is wrong, and still reads if it can.
watch_replicas() {
    while sleep 1 && grep -qs "^State:[[:space:]][^Z]" "/proc/$$/status"; do
        there=$(replicas)
        now=$(green /readyz "$there")
        now=${now:-$(green /livez "$there")}
        now=${now:-$there}
        # While the name is not found, the known ones stay.
        if [ -n "$now" ] && [ "$now" != "$known" ]; then
            known=$now
            write_replicas "$known"
            nginx -p "$run" -c "$run/nginx.conf" -s reload
        fi
    done
}
watch_replicas &

exec nginx -p "$run" -c "$run/nginx.conf" -g "daemon off;"
