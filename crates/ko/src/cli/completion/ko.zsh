#compdef ko
# zsh completion for ko: as the file _ko in a directory of $fpath, or
#   source <(ko completion zsh)

compdef _ko ko

_ko() {
    local out line name directive
    local -a typed lines candidates
    typed=("${(@)words[1,CURRENT-1]}" "$PREFIX")
    out=$("${(Q)typed[1]}" __complete "${(@Q)typed[2,-1]}" 2>/dev/null) || return 1
    lines=("${(@f)out}")
    directive=${lines[-1]#:}

    # Of --flag=value, the value is completed.
    [[ $PREFIX == -*=* ]] && compset -P 1 '*='

    for line in "${(@)lines[1,-2]}"; do
        name=${line%%$'\t'*}
        # A colon divides what is offered from what it means.
        line=${line#"$name"}
        candidates+=("${name//:/\\:}${line:+:${line#$'\t'}}")
    done
    if (( ${#candidates} )); then
        local -a flags
        (( directive & 2 )) && flags=(-S '')
        _describe -V 'completions' candidates "${flags[@]}"
    elif (( directive & 16 )); then
        _files -/
    elif (( ! (directive & 4) )); then
        _files
    else
        return 1
    fi
}

# As an autoloaded file, this is the body of the function itself.
[[ $funcstack[1] == _ko ]] && _ko "$@"
