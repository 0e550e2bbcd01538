# fish completion for ko: as ~/.config/fish/completions/ko.fish, or
#   ko completion fish | source

function __ko_complete
    set -l typed (commandline -opc)
    set -l last (commandline -ct)
    set -l program $typed[1]
    set -e typed[1]
    set -l lines ($program __complete $typed "$last" 2>/dev/null)
    or return
    set -l directive (string replace ':' '' -- $lines[-1])
    set -e lines[-1]

    # Of --flag=value, the value is completed.
    set -l flag (string match -r -- '^-[^=]*=' $last; or echo)
    set -l value (string replace -r -- '^-[^=]*=' '' $last)
    if test (count $lines) -gt 0
        printf '%s\n' "$flag"$lines
    else if test (math "bitand($directive, 16)") -ne 0
        string replace -r -- '^' "$flag" (__fish_complete_directories $value '')
    else if test (math "bitand($directive, 4)") -eq 0
        string replace -r -- '^' "$flag" (__fish_complete_path $value)
    end
end

complete -c ko -e
complete -c ko -f -a '(__ko_complete)'
