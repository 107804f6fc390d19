#!/bin/sh
# botod from a shell, with socat. Start `botod demo --keep`, export its BOTOD_SOCKET, then: sh client.sh
set -eu
# ask METHOD PARAMS [IN [OUT]]: the answer on standard output; an error, with its code and message,
# on standard error, and status 1. {"$bytes":0} in PARAMS stands for what is in the file IN; bytes
# that come with the answer go to the file OUT.
ask() {
    size=$(wc -c <"${3:-/dev/null}")
    {
        printf '{"jsonrpc":"2.0","id":1,"method":"%s","params":%s,"bytes":[%d]}\n' "$1" "$2" "$size"
        cat "${3:-/dev/null}"
    } | socat -t 905 - "UNIX-CONNECT:${BOTOD_SOCKET:-/run/botod/botod.sock}" | {
        IFS= read -r answer || answer='botod hung up'
        case $answer in
        '{"jsonrpc":"2.0","id":1,"result":'*) printf '%s\n' "$answer" ;;
        *) printf '%s\n' "$answer" >&2 && exit 1 ;;
        esac
        cat >"${4:-/dev/null}"
    }
}
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
for n in $(seq 0 255); do printf "\\$(printf %03o "$n")"; done >"$folder/in"
object='"Bucket":"demo-bucket","Key":"from a shell"' queue='"QueueUrl":"http://sqs/123456789012/demo-queue"'
ask s3.put_object "{$object,\"Body\":{\"\$bytes\":0}}" "$folder/in" >/dev/null
ask s3.get_object "{$object}" /dev/null "$folder/out" >/dev/null
ask sqs.send_message "{$queue,\"MessageBody\":\"hello from a shell\"}" >/dev/null
ask sqs.receive_message "{$queue,\"WaitTimeSeconds\":5}" | grep -o 'hello from a shell'
ask s3.get_object '{"Bucket":"demo-bucket","Key":"none"}' 2>&1 || true
cat "$folder/out"
