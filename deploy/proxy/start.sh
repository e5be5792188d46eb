#!/bin/sh
# Starts the proxy in a container or a pod: writes what differs from place to place beside a copy of the
# configuration, and becomes nginx. The variables, each with its default:
#   PROXY_RUN        /run/proxy   a writable directory, for the copy, the cache and large bodies
#   API_ADDRESS      api:6606     one name or address of all API replicas, and their port
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

address=${API_ADDRESS:-api:6606}
replicas() {
    getent ahostsv4 "${address%:*}" | awk '{ print $1 }' | sort -u
}
write_replicas() {
    for replica in $1; do
        # One that does not answer is left alone for a moment.
        echo "server $replica:${address##*:} max_fails=1 fail_timeout=3s;"
    done >"$run/replicas.conf"
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

# A replica that starts again may have another address. While the name is not found, the known ones stay.
watch_replicas() {
    while sleep 1 && kill -0 $$; do
        found=$(replicas) || continue
        if [ -n "$found" ] && [ "$found" != "$known" ]; then
            known=$found
            write_replicas "$known"
            nginx -p "$run" -c "$run/nginx.conf" -s reload
        fi
    done
}
case ${address%:*} in
    *[!0-9.]*) watch_replicas & ;;
esac

exec nginx -p "$run" -c "$run/nginx.conf" -g "daemon off;"
