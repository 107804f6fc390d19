# Made from the commands by `make docs`.

_botod() {
    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}"
    local command="${COMP_WORDS[1]} ${COMP_WORDS[2]}" words="" kind=""
    COMPREPLY=()
    if [[ $COMP_CWORD -eq 1 ]]; then
        mapfile -t COMPREPLY < <(compgen -W "run call cp status policy config doctor systemd-unit supervisor-conf demo" -- "$cur")
        return
    fi
    case "$command" in
    "run "*)
        words="-h --help --config"
        case "$prev" in
        --config) kind=file ;;
        esac
        ;;
    "call "*)
        words="-o --output --profile --socket --timeout --batch botod.hello botod.ping botod.status s3.copy_object s3.create_bucket s3.delete_bucket s3.delete_object s3.delete_objects s3.get_object s3.head_bucket s3.head_object s3.list_buckets s3.list_objects_v2 s3.put_object sdb.batch_put_attributes sdb.create_domain sdb.delete_attributes sdb.delete_domain sdb.get_attributes sdb.list_domains sdb.put_attributes sdb.select sqs.change_message_visibility sqs.create_queue sqs.delete_message sqs.delete_message_batch sqs.delete_queue sqs.get_queue_attributes sqs.get_queue_url sqs.list_queues sqs.purge_queue sqs.receive_message sqs.send_message sqs.send_message_batch"
        case "$prev" in
        -o | --output) kind=file ;;
        --profile) kind=value ;;
        --socket) kind=file ;;
        --timeout) kind=value ;;
        esac
        ;;
    "cp "*)
        words="-h --help -r --recursive --content-type --jobs --dry-run -q --no-progress --profile --socket"
        case "$prev" in
        --content-type) kind=value ;;
        --jobs) kind=value ;;
        --profile) kind=value ;;
        --socket) kind=file ;;
        esac
        [[ -n $kind || $cur == -* ]] || kind=file
        ;;
    "status "*)
        words="-h --help --json --socket"
        case "$prev" in
        --socket) kind=file ;;
        esac
        ;;
    "policy check")
        words="-h --help --user --group --unit --cgroup --profile --daemon-user --config botod.hello botod.ping botod.status s3.copy_object s3.create_bucket s3.delete_bucket s3.delete_object s3.delete_objects s3.get_object s3.head_bucket s3.head_object s3.list_buckets s3.list_objects_v2 s3.put_object sdb.batch_put_attributes sdb.create_domain sdb.delete_attributes sdb.delete_domain sdb.get_attributes sdb.list_domains sdb.put_attributes sdb.select sqs.change_message_visibility sqs.create_queue sqs.delete_message sqs.delete_message_batch sqs.delete_queue sqs.get_queue_attributes sqs.get_queue_url sqs.list_queues sqs.purge_queue sqs.receive_message sqs.send_message sqs.send_message_batch"
        case "$prev" in
        --user) kind=user ;;
        --group) kind=group ;;
        --unit) kind=value ;;
        --cgroup) kind=value ;;
        --profile) kind=value ;;
        --daemon-user) kind=user ;;
        --config) kind=file ;;
        esac
        ;;
    "policy "*) words="check" ;;
    "config check")
        words="-h --help --json"
        [[ -n $kind || $cur == -* ]] || kind=file
        ;;
    "config show")
        words="-h --help --config --defaults --json"
        case "$prev" in
        --config) kind=file ;;
        esac
        ;;
    "config "*) words="check show" ;;
    "doctor "*)
        words="-h --help --config --socket --user --daemon-user --json"
        case "$prev" in
        --config) kind=file ;;
        --socket) kind=file ;;
        --user) kind=user ;;
        --daemon-user) kind=user ;;
        esac
        ;;
    "systemd-unit "*)
        words="-h --help botod.service"
        ;;
    "supervisor-conf "*)
        words="-h --help"
        ;;
    "demo "*)
        words="-h --help --keep"
        ;;
    esac
    case "$kind" in
    file) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    user) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
    group) mapfile -t COMPREPLY < <(compgen -g -- "$cur") ;;
    value) ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur") ;;
    esac
}
complete -o default -F _botod botod
