# bash completion for ko, in bash 3.2 and newer:
#   source <(ko completion bash)

_ko() {
    local i word before rest=$COMP_LINE words=()
    # Bash splits words at = and :, which are parts of them here.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ -n $word ]]; then
            before=${rest%%"$word"*}
            rest=${rest#*"$word"}
        else
            before=${COMP_LINE:0:COMP_POINT}
            before=${before##*[![:space:]]}
        fi
        if ((i > 0)) && [[ -z $before ]] &&
            [[ $word == [=:]* || ${COMP_WORDS[i - 1]} == *[=:] ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
    done

    local out directive
    COMPREPLY=()
    out=$("${words[0]}" __complete "${words[@]:1}" 2>/dev/null) || return 0
    directive=${out##*:}
    out=${out%:*}

    # What is completed: of --flag=value, the value.
    local typed=${words[${#words[@]} - 1]} flag=
    if [[ $typed == -*=* ]]; then
        flag=${typed%%=*}=
        typed=${typed#*=}
    fi
    # What of it bash leaves alone, and what it wants to have again.
    local kept=
    [[ $typed == *:* && $COMP_WORDBREAKS == *:* ]] && kept=${typed%"${typed##*:}"}
    [[ $COMP_WORDBREAKS == *=* ]] && flag=

    local line name names=() meanings=() longest=0
    while IFS= read -r line; do
        name=${line%%$'\t'*}
        [[ -n $name && $name == "$typed"* ]] || continue
        names+=("$flag${name#"$kept"}")
        meanings+=("${line:${#name}+1}")
        ((${#name} > longest)) && longest=${#name}
    done <<<"$out"

    if ((${#names[@]} == 1)); then
        case ${names[0]} in
        *[!A-Za-z0-9_./:=@%+,-]*) COMPREPLY=("$(printf '%q' "${names[0]}")") ;;
        *) COMPREPLY=("${names[0]}") ;;
        esac
    elif ((${#names[@]} > 1)); then
        # A list may have descriptions; what is put into the line may not.
        local width=$((${COLUMNS:-80} - longest - 6))
        for ((i = 0; i < ${#names[@]}; i++)); do
            if [[ -z ${meanings[i]} || ${COMP_TYPE:-9} == 37 || ${COMP_TYPE:-9} == 42 ]] ||
                ((width < 8)); then
                COMPREPLY+=("${names[i]}")
            else
                printf -v line '%-*s  (%s)' "$longest" "${names[i]}" "${meanings[i]:0:width}"
                COMPREPLY+=("$line")
            fi
        done
    elif ((directive & 16)); then
        while IFS= read -r line; do
            COMPREPLY+=("$flag$line")
        done < <(compgen -d -- "$typed")
    fi

    if [[ $(type -t compopt) == builtin ]]; then
        ((directive & 2)) && compopt -o nospace
        ((directive & 4)) && compopt +o default
        ((directive & 16)) && compopt -o filenames +o default
    fi
    return 0
}

complete -o default -F _ko ko
