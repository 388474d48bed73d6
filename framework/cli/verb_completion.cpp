#include <set>

#include "autograd/ops.h"
#include "base/text.h"
#include "cli/session.h"
#include "config/keys.h"

namespace attune {
namespace {

// Everything that may stand after a verb: its options, and its operands where these are words.
std::vector<std::string> words_of(const Verb& verb) {
  std::vector<std::string> words;
  const auto add = [&words](const std::vector<Option>& options) {
    for (const Option& option : options) words.push_back("--" + option.name);
  };
  add(verb.options);
  if (!verb.passes_through) add(common_options());
  if (verb.name == "op")
    for (const Op* op : all_ops()) words.emplace_back(op->name);
  // "kinds|models|data [DIR]": the words of the first operand.
  const std::string first = verb.operands.substr(0, verb.operands.find(' '));
  if (first.find('|') == first.npos) return words;
  for (std::size_t at = 0; at <= first.size();) {
    const std::size_t end = std::min(first.find('|', at), first.size());
    words.push_back(first.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::vector<std::string> keys_of(std::span<const Kind> kinds) {
  std::set<std::string> keys;
  for (const Kind& kind : kinds) {
    const auto options = kind.options();
    FieldList fields;
    options->fields(fields);
    const KeyIndex index(fields);
    for (const KeyInfo& key : index.all()) keys.insert(key.key);
  }
  return {keys.begin(), keys.end()};
}

std::string cases(const std::vector<std::pair<std::string, std::vector<std::string>>>& entries) {
  std::string text;
  for (const auto& [pattern, words] : entries)
    text += fmt::format("    {}) words=\"{}\" ;;\n", pattern, join(words, " "));
  return text;
}

// COMP_WORDBREAKS cuts "lr=1e-3" into three words, so that a key completes up to its '='.
std::string bash_script(std::span<const Kind> kinds) {
  std::vector<std::string> names, with_keys;
  std::vector<std::pair<std::string, std::vector<std::string>>> by_verb, by_option;
  std::set<std::string> told;
  const auto choices = [&](const std::vector<Option>& options) {
    for (const Option& option : options)
      if (!option.choices.empty() && told.insert(option.name).second)
        by_option.emplace_back("--" + option.name, option.choices);
  };
  choices(common_options());
  for (const Verb& verb : verbs()) {
    names.push_back(verb.name);
    by_verb.emplace_back(verb.name, words_of(verb));
    if (verb.overrides && !verb.explains_operand) with_keys.push_back(verb.name);
    choices(verb.options);
  }
  std::vector<std::string> keys = keys_of(kinds);
  for (std::string& key : keys) key += "=";
  return fmt::format(
      R"(_attune() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} verb=${{COMP_WORDS[1]}} words=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{} --help --version" -- "$cur"))
    return
  fi
  case "$prev" in
{}  esac
  if [ -n "$words" ]; then
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
    return
  fi
  case "$verb" in
{}  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  case "$cur" in -*) return ;; esac
  local IFS=$'\n'
  COMPREPLY+=($(compgen -f -- "$cur"))
  IFS=$' \t\n'
  case "$verb" in
    {}) ;;
    *) return ;;
  esac
  local keys
  keys=($(compgen -W "{}" -- "$cur"))
  [ "${{#keys[@]}}" -eq 0 ] || compopt -o nospace 2>/dev/null
  COMPREPLY+=("${{keys[@]}}")
}}
complete -o filenames -F _attune attune
)",
      join(names, " "), cases(by_option), cases(by_verb), join(with_keys, "|"), join(keys, " "));
}

}  // namespace

ExitCode verb_completion(Session& session) {
  const std::string& shell = session.command.operands.front();
  ATTUNE_CHECK(shell == "bash" || shell == "zsh", ConfigError,
               "there is no completion for '{}'; shells are bash, zsh", shell);
  const std::string script = bash_script(session.kinds);
  session.console.out.print(shell == "bash" ? "# source <(attune completion bash)\n" + script
                                            : "# source <(attune completion zsh)\n"
                                              // compdef is there where zsh's own completion is.
                                              "(( ${+functions[compdef]} )) || "
                                              "{ autoload -Uz compinit && compinit -i; }\n"
                                              "autoload -Uz bashcompinit && bashcompinit\n" +
                                                  script);
  return ExitCode::ok;
}

}  // namespace attune
