#include "cli/command.h"

#include <unistd.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <filesystem>

#include "base/quantity.h"
#include "base/text.h"
#include "config/diagnostics.h"

namespace attune {
namespace {

namespace po = boost::program_options;

const Option kVersion = {"version", "", "", "version, commit, compiler, flags, libraries"};

std::vector<Option> options_of(const Verb* verb) {
  std::vector<Option> all = verb ? verb->options : std::vector<Option>{kVersion};
  all.insert(all.end(), common_options().begin(), common_options().end());
  return all;
}

// The token, up to its value: "--sedes=0-9" → "--sedes".
std::string option_token(const po::option& option) {
  const std::string token =
      option.original_tokens.empty() ? option.string_key : option.original_tokens.front();
  return token.substr(0, token.find('='));
}

std::string unknown_option(const std::string& token, const std::vector<Option>& known,
                           const Verb* verb) {
  std::vector<std::string> names;
  for (const Option& o : known) names.push_back("--" + o.name);
  const std::string of = verb ? fmt::format("attune {}", verb->name) : "attune";
  if (const auto meant =
          did_you_mean(token.starts_with("--") ? token : fmt::format("-{}", token), names)) {
    const auto& option = known[static_cast<std::size_t>(
        std::find(names.begin(), names.end(), *meant) - names.begin())];
    return fmt::format("unknown option '{}'; did you mean '{}'?  ({})", token, *meant, option.doc);
  }
  return fmt::format("unknown option '{}'; {} --help lists the options", token, of);
}

// key=value, where a key is dotted words, or a group such as model/attention. Not by std::regex,
// which recurses once a letter: the value may be long.
bool is_override(const std::string& token) {
  const std::size_t equals = token.find('=');
  if (equals == 0 || equals == token.npos) return false;
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  const bool key =
      letter(token[0]) &&
      std::all_of(token.begin(), token.begin() + static_cast<std::ptrdiff_t>(equals), [&](char c) {
        return letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '/';
      });
  std::error_code no_file;  // such as a text longer than any file's name
  return key && !std::filesystem::exists(token, no_file);
}

Diagnostic on_command_line(const std::string& message) {
  static const auto source = [] {
    auto made = std::make_shared<Source>();
    made->kind = Source::Kind::command_line;
    made->name = "command line";
    return made;
  }();
  return {.at = Origin::of(source), .message = message};
}

class Parser {
 public:
  explicit Parser(const Verb* verb) : verb_(verb), known_(options_of(verb)) {
    command_.verb = verb;
  }

  Command parse(const std::vector<std::string>& arguments) {
    bool after_unknown = false;
    for (const po::option& option : split(arguments)) {
      if (option.unregistered) {
        wrong(unknown_option(option_token(option), known_, verb_));
      } else if (!option.string_key.empty()) {
        accept(option);
      } else if (!after_unknown) {  // else it may be that option's argument: one complaint is
                                    // enough
        for (const std::string& token : option.value) operand(token);
      }
      after_unknown = option.unregistered;
    }
    if (errors_.ok() && !command_.has("help")) count_operands();
    errors_.raise();
    return std::move(command_);
  }

 private:
  void wrong(const std::string& what) { errors_.error(on_command_line(what)); }

  // Boost cuts the line into options and positionals; guessing of shortened names is off.
  std::vector<po::option> split(const std::vector<std::string>& arguments) {
    po::options_description description;
    for (const Option& o : known_) {
      const std::string names = o.letter.empty() ? o.name : o.name + "," + o.letter;
      if (o.argument.empty()) {
        description.add_options()(names.c_str(), "");
      } else {
        description.add_options()(names.c_str(), po::value<std::string>(), "");
      }
    }
    namespace style = po::command_line_style;
    try {
      return po::command_line_parser(arguments)
          .options(description)
          .style(style::unix_style & ~style::allow_guessing)
          .allow_unregistered()
          .run()
          .options;
    } catch (const po::error& e) {
      wrong(e.what());
      return {};
    }
  }

  void accept(const po::option& given) {
    const std::string name = given.string_key.starts_with('-')
                                 ? long_name(given.string_key.substr(1))
                                 : given.string_key;
    const Option& option = *std::find_if(known_.begin(), known_.end(),
                                         [&name](const Option& o) { return o.name == name; });
    const std::string value = given.value.empty() ? "" : given.value.front();
    if (!option.argument.empty()) {
      const auto& choices = option.choices;
      if (!choices.empty() && std::find(choices.begin(), choices.end(), value) == choices.end())
        return wrong(fmt::format("--{} {} is none of {}", name, value, join(choices)));
      if (option.check)
        if (const std::string problem = option.check(value); !problem.empty())
          return wrong(fmt::format("--{} {} {}", name, value, problem));
      if (command_.has(name)) return wrong(fmt::format("--{} is given twice", name));
    }
    command_.options[name] = value;
  }

  std::string long_name(const std::string& letter) const {
    const auto found = std::find_if(known_.begin(), known_.end(),
                                    [&letter](const Option& o) { return o.letter == letter; });
    return found == known_.end() ? letter : found->name;
  }

  void operand(const std::string& token) {
    const bool full = verb_ && verb_->max_operands >= 0 &&
                      static_cast<int>(command_.operands.size()) >= verb_->max_operands;
    if (verb_ && verb_->overrides && is_override(token)) {
      command_.overrides.push_back(token);
    } else if (full && verb_->overrides) {
      wrong(fmt::format("'{}' is neither key=value nor an option; {} takes {}", token, verb_->name,
                        verb_->operands));
    } else {
      command_.operands.push_back(token);
    }
  }

  void count_operands() {
    if (!verb_) {
      if (!command_.operands.empty())
        wrong(fmt::format("the verb comes first: attune {} …", command_.operands.front()));
      return;
    }
    const int n = static_cast<int>(command_.operands.size());
    if (n < verb_->min_operands)
      wrong(fmt::format("{} needs {}; for instance: attune {}", verb_->name, verb_->operands,
                        verb_->examples.front()));
    if (verb_->max_operands >= 0 && n > verb_->max_operands)
      wrong(fmt::format("'{}' is one too many: attune {} {}", command_.operands.back(), verb_->name,
                        verb_->operands));
  }

  const Verb* verb_;
  std::vector<Option> known_;
  Command command_;
  Diagnostics errors_;
};

}  // namespace

std::optional<std::string> Command::text(const std::string& option) const {
  const auto found = options.find(option);
  return found == options.end() ? std::nullopt : std::optional(found->second);
}

std::optional<Index> Command::integer(const std::string& option) const {
  const auto value = text(option);
  return value ? std::optional<Index>(std::stoll(*value)) : std::nullopt;
}

int machine_cores() { return static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN))); }

int Command::threads() const {
  return static_cast<int>(integer("threads").value_or(machine_cores()));
}

std::optional<double> Command::seconds(const std::string& option) const {
  double out = 0;
  const auto value = text(option);
  if (!value || !parse_duration(*value, out).empty()) return std::nullopt;
  return out;
}

std::optional<std::vector<Index>> Command::seeds(const std::string& option) const {
  std::vector<Index> out;
  const auto value = text(option);
  if (!value || !parse_seeds({{*value}, false}, out).empty()) return std::nullopt;
  return out;
}

void refuse_command(const std::string& what) {
  Diagnostics errors;
  errors.error(on_command_line(what));
  throw InvalidConfig(errors.text(), errors.errors());
}

std::string nothing_was_run(std::size_t errors) {
  return fmt::format("{} error{}, nothing was run.", errors, errors == 1 ? "" : "s");
}

Command parse_command(const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments.front().starts_with('-'))
    return Parser(nullptr).parse(arguments);
  const std::string& name = arguments.front();
  if (name == "help") {  // `attune help run` is `attune run --help`
    std::vector<std::string> page(arguments.begin() + 1, arguments.end());
    page.emplace_back("--help");
    return parse_command(page);
  }
  const Verb* verb = find_verb(name);
  if (!verb) {
    std::vector<std::string> names;
    for (const Verb& v : verbs()) names.push_back(v.name);
    const auto meant = did_you_mean(name, names);
    const bool file = name.ends_with(".yaml") || name.ends_with(".yml");
    const std::string hint = meant  ? fmt::format("did you mean '{}'?", *meant)
                             : file ? fmt::format("did you mean 'run {}'?", name)
                                    : fmt::format("verbs are {}", join(names));
    refuse_command(fmt::format("unknown verb '{}'; {}", name, hint));
  }
  const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  if (verb->passes_through) {
    Command command;
    command.verb = verb;
    command.operands = rest;
    return command;
  }
  return Parser(verb).parse(rest);
}

}  // namespace attune
