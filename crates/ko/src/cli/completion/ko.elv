# elvish completion for ko, in rc.elv:
#   eval (ko completion elvish | slurp)

use re
use str

set edit:completion:arg-completer[ko] = {|@words|
    var typed = $words[-1]
    var lines = []
    try {
        set lines = [((external $words[0]) __complete (all $words[1..]) 2>/dev/null)]
    } catch _ {
    }
    if (> (count $lines) 0) {
        var directive = (num $lines[-1][1..])
        set lines = $lines[..-1]
        # Of --flag=value, the value is completed.
        var flag = ''
        if (re:match '^-[^=]*=' $typed) {
            set flag = (re:find '^-[^=]*=' $typed)[text]
        }
        for line $lines {
            var name @meaning = (str:split &max=2 "\t" $line)
            if (eq $meaning []) {
                edit:complex-candidate $flag$name
            } else {
                edit:complex-candidate $flag$name &display=$name' ('$meaning[0]')'
            }
        }
        # With 4 among its summands, files are none.
        if (and (eq $lines []) (not (has-value [4 6 36 38] $directive))) {
            edit:complete-filename $typed
        }
    }
}
