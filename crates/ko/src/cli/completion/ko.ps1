# PowerShell completion for ko, in 5.0 and newer:
#   ko completion powershell | Out-String | Invoke-Expression

Register-ArgumentCompleter -Native -CommandName 'ko' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # The words up to the cursor; the last is empty if it follows a space.
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.StartOffset -lt $cursorPosition } |
        ForEach-Object {
            $length = [Math]::Min($_.Extent.EndOffset, $cursorPosition) - $_.Extent.StartOffset
            $_.Extent.Text.Substring(0, $length)
        })
    $program = $words[0]
    $arguments = @($words | Select-Object -Skip 1)
    $last = @($commandAst.CommandElements | Where-Object { $_.Extent.StartOffset -lt $cursorPosition })[-1]
    if ($last.Extent.EndOffset -lt $cursorPosition -or $arguments.Count -eq 0) {
        # Older versions drop an empty argument of a program.
        $legacy = $PSVersionTable.PSVersion -lt [version]'7.3.0' -or
            $PSNativeCommandArgumentPassing -eq 'Legacy'
        $typed = ''
        $arguments += if ($legacy) { '""' } else { '' }
    } else {
        $typed = $arguments[-1]
    }
    $lines = @(& $program __complete @arguments 2>$null)
    if ($lines.Count -eq 0) { return }
    $directive = [int]($lines[-1].TrimStart(':'))
    $lines = @($lines | Select-Object -SkipLast 1)

    # Of --flag=value, the value is completed.
    $flag = ''
    if ($typed -match '^(-[^=]*=)') { $flag = $Matches[1] }
    foreach ($line in $lines) {
        $name, $meaning = $line.Split("`t", 2)
        if (-not $meaning) { $meaning = $name }
        [System.Management.Automation.CompletionResult]::new(
            "$flag$name", $name, 'ParameterValue', $meaning)
    }
    # With nothing in the answer, PowerShell completes files by itself.
    if ($lines.Count -eq 0 -and ($directive -band 4)) { '' }
}
