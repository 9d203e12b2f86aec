/** Shells `sprite completion` knows. */
export const shells = ['bash', 'zsh', 'fish', 'powershell'] as const;

export type CompletionShell = (typeof shells)[number];

/** What a shell must load to complete `sprite`; each asks `sprite __complete` for the words. */
export const completionScripts: Readonly<Record<CompletionShell, string>> = {
  bash: `# Load with: source <(sprite completion bash)
_sprite_complete() {
  local cur="\${COMP_WORDS[COMP_CWORD]}"
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    [[ "$line" == "$cur"* ]] && COMPREPLY+=("$line")
  done < <(sprite __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _sprite_complete sprite
`,
  zsh: `#compdef sprite
# Load with: source <(sprite completion zsh)
_sprite_complete() {
  local -a candidates
  candidates=("\${(@f)$(sprite __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  candidates=(\${candidates:#})
  if (( \${#candidates} )); then
    compadd -a candidates
  else
    _files
  fi
}
compdef _sprite_complete sprite
`,
  fish: `# Load with: sprite completion fish | source
function __sprite_complete
    set -l words (commandline -opc) (commandline -ct)
    sprite __complete -- $words[2..-1] 2>/dev/null
end
complete -c sprite -f -a '(__sprite_complete)'
`,
  powershell: `# Load with: sprite completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName sprite -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.Extent.Text })
    $current = if ($wordToComplete) { $wordToComplete } else { '""' }
    sprite __complete -- @words $current 2>$null |
        Where-Object { $_ -like "$wordToComplete*" } |
        ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
}
`,
};
