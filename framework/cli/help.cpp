#include "cli/help.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"

namespace attune {
namespace {

constexpr std::size_t kWidest = 80;

std::pair<std::string, std::string> option_row(const Option& option) {
  const std::string letter = option.letter.empty() ? "    " : fmt::format("-{}, ", option.letter);
  const std::string argument = option.argument.empty() ? "" : fmt::format(" {}", option.argument);
  return {fmt::format("  {}--{}{}", letter, option.name, argument), option.doc};
}

std::string example_lines(const std::vector<std::string>& examples) {
  std::string text = "examples:\n";
  for (const std::string& example : examples) text += "  attune " + example + "\n";
  return text;
}

Json option_json(const Option& option) {
  Json json;
  json.set("name", option.name).set("letter", option.letter.empty() ? Json() : Json(option.letter));
  json.set("argument", option.argument.empty() ? Json() : Json(option.argument))
      .set("doc", option.doc);
  if (!option.choices.empty()) json.set("choices", option.choices);
  return json;
}

Json verb_json(const Verb& verb) {
  Json options = Json::List{}, codes;
  for (const Option& option : verb.options) options.push(option_json(option));
  if (!verb.passes_through)
    for (const Option& option : common_options()) options.push(option_json(option));
  for (const ExitCode code : verb.exit_codes)
    codes.set(std::to_string(static_cast<int>(code)), meaning(code));
  Json json;
  json.set("name", verb.name).set("summary", verb.summary).set("operands", verb.operands);
  json.set("details", verb.details).set("takes_overrides", verb.overrides);
  json.set("options", std::move(options)).set("examples", verb.examples);
  return json.set("exit_codes", std::move(codes));
}

}  // namespace

std::string two_columns(const std::vector<std::pair<std::string, std::string>>& rows,
                        std::size_t width) {
  constexpr std::size_t kIndent = 6;
  std::size_t column = 0;
  for (const auto& [left, right] : rows) column = std::max(column, display_width(left) + 2);
  const bool below = 2 * column > width;
  std::string text;
  for (const auto& [left, right] : rows) {
    if (below) {
      text += left + "\n" + std::string(kIndent, ' ') +
              hang(wrap(right, width - kIndent), kIndent) + "\n";
    } else {
      text += pad_right(left, column) + hang(wrap(right, width - column), column) + "\n";
    }
  }
  return text;
}

std::string help_json(const Verb* verb) {
  if (verb) return verb_json(*verb).dump() + "\n";
  Json json;
  for (const Verb& v : verbs()) json.push(verb_json(v));
  return json.dump() + "\n";
}

std::string help_text(std::size_t width) {
  width = std::min(width, kWidest);
  std::string text =
      wrap("attune, a laboratory for attention: a YAML file is a claim, a run its answer.", width) +
      "\nusage: attune VERB ...\n\n";
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Verb& verb : verbs()) rows.emplace_back("  " + verb.name, verb.summary);
  text += two_columns(rows, width);
  text += "\n";
  text += two_columns({{"  attune VERB --help", "options, exit codes, examples of a verb"},
                       {"  attune --help --json", "all of it for programs"},
                       {"  attune --version", "version, commit, compiler, flags, libraries"}},
                      width);
  return text + "\n" + example_lines({"run configs/quickstart.yaml"});
}

std::string help_text(const Verb& verb, std::size_t width) {
  width = std::min(width, kWidest);
  const std::string usage = fmt::format("usage: attune {} {}{}", verb.name, verb.operands,
                                        verb.passes_through ? " ..." : " [options]");
  std::string text = wrap(usage, width, 4) + "\n\n" + wrap(verb.details, width) + "\n\n";
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Option& option : verb.options) rows.push_back(option_row(option));
  if (!verb.passes_through)
    for (const Option& option : common_options()) rows.push_back(option_row(option));
  if (!rows.empty()) text += two_columns(rows, width) + "\n";
  if (verb.overrides) {
    text += two_columns(
        {{"  key=value", "a.b=1, group=option, 'a.b=[1, 2]', a.b=null; see attune explain"}},
        width);
    text += "\n";
  }

  std::vector<std::string> codes;
  for (const ExitCode code : verb.exit_codes)
    codes.push_back(fmt::format("{} {}", static_cast<int>(code), meaning(code)));
  return text + wrap("exit codes: " + join(codes, "; "), width, 12) + "\n\n" +
         example_lines(verb.examples);
}

}  // namespace attune
