//! Scripts that make three shells ask `complete` what can stand next.
//!
//! Owns the shells' languages. What is completed is asked of the tool itself on every key, so a script never grows old.

use crate::command::Tool;
use crate::complete;

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

impl Shell {
    /// The shell of that name.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "bash" => Self::Bash,
            "zsh" => Self::Zsh,
            "fish" => Self::Fish,
            _ => return None,
        })
    }
}

/// The script for all tools.
pub fn script(shell: Shell) -> String {
    let tools: Vec<&str> = Tool::ALL.iter().map(|tool| tool.name()).chain([crate::admin::NAME, "ctl"]).collect();
    let ask = complete::NAME;
    match shell {
        Shell::Bash => format!(
            "# bash: eval \"$(rabbitmqctl completion bash)\", or into /etc/bash_completion.d
_warren_complete() {{
  local line current=${{COMP_WORDS[COMP_CWORD]}}
  COMPREPLY=()
  while IFS= read -r line; do
    if [ \"$line\" = ':files' ]; then
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- \"$current\")
      return
    fi
    COMPREPLY+=(\"$(printf '%q' \"${{line%%$'\\t'*}}\")\")
  done < <(\"${{COMP_WORDS[0]}}\" {ask} \"${{COMP_WORDS[@]:1:COMP_CWORD}}\" 2>/dev/null)
}}
complete -F _warren_complete {}
",
            tools.join(" ")
        ),
        Shell::Zsh => format!(
            "#compdef {0}
# zsh: into a folder of $fpath as _rabbitmqctl, or eval \"$(rabbitmqctl completion zsh)\"
_warren_complete() {{
  local line
  local -a found
  for line in \"${{(@f)$(\"${{words[1]}}\" {ask} \"${{(@)words[2,CURRENT]}}\" 2>/dev/null)}}\"; do
    [[ -z $line ]] && continue
    if [[ $line == ':files' ]]; then _files; return; fi
    line=${{line//:/\\\\:}}
    found+=(\"${{line/$'\\t'/:}}\")
  done
  _describe -t words word found
}}
compdef _warren_complete {0}
",
            tools.join(" ")
        ),
        Shell::Fish => {
            let mut out = format!(
                "# fish: rabbitmqctl completion fish > ~/.config/fish/completions/rabbitmqctl.fish
function __warren_complete
    set -l line (commandline -opc) (commandline -ct)
    set -l found ($line[1] {ask} $line[2..-1] 2>/dev/null)
    if contains -- :files $found
        __fish_complete_path (commandline -ct)
    else
        printf '%s\\n' $found
    end
end
"
            );
            for tool in tools {
                out.push_str(&format!("complete -c {tool} -f -a '(__warren_complete)'\n"));
            }
            out
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_serves_every_tool() {
        for name in ["bash", "zsh", "fish"] {
            let script = script(Shell::of(name).expect("a shell"));
            for tool in Tool::ALL {
                assert!(script.contains(tool.name()), "{name} {}", tool.name());
            }
        }
        assert_eq!(Shell::of("tcsh"), None);
    }
}
