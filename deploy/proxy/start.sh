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

# The name is looked up again and again: a replica that starts has an address of its own.
awk '$1 == "nameserver" { servers = servers " " ($2 ~ /:/ ? "[" $2 "]" : $2) }
    END { if (servers) print "resolver" servers " valid=1s;" }' /etc/resolv.conf >"$run/resolver.conf"
{
    echo "listen ${PROXY_PORT:-8080};"
    if [ -r "$tls/tls.crt" ]; then
        echo "listen ${PROXY_TLS_PORT:-8443} ssl;"
        echo "http2 on;"
        echo "ssl_certificate $tls/tls.crt;"
        echo "ssl_certificate_key $tls/tls.key;"
        echo "ssl_protocols TLSv1.2 TLSv1.3;"
        echo "ssl_session_cache shared:tls:5m;"
        echo "ssl_session_tickets off;"
    fi
    # A variable makes nginx look the name up while it runs.
    echo "set \$api ${API_ADDRESS:-api:6606};"
} >"$run/listen.conf"
for network in ${BALANCERS-}; do
    echo "$network 1;"
done >"$run/balancers.conf"
for network in ${BALANCERS-}; do
    echo "set_real_ip_from $network;"
done >"$run/real_ip.conf"

exec nginx -p "$run" -c "$run/nginx.conf" -g "daemon off;"
