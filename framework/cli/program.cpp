#include <algorithm>
#include <filesystem>
#include <iterator>

#include "base/json.h"
#include "base/text.h"
#include "cli/help.h"
#include "cli/install.h"
#include "cli/session.h"
#include "cli/version.h"
#include "config/diagnostics.h"

namespace attune {
namespace {

Json placed_json(const std::string& message, const Origin& at) {
  Json json;
  json.set("message", message);
  if (at.source) json.set("file", at.source->name);
  if (at.line > 0 && !at.on_command_line()) json.set("line", at.line).set("column", at.column);
  return json;
}

// Where errors were found, for programs; an error without places is its text alone.
Json error_json(const std::string& text, ExitCode code, const std::vector<Diagnostic>* several) {
  Json errors = Json::List{};
  if (several) {
    for (const Diagnostic& d : *several) {
      Json error = placed_json(d.message, d.at);
      if (!d.notes.empty()) {
        Json notes = Json::List{};
        for (const Remark& note : d.notes) notes.push(placed_json(note.message, note.at));
        error.set("notes", std::move(notes));
      }
      if (!d.hints.empty()) error.set("hints", d.hints);
      errors.push(std::move(error));
    }
  } else {
    errors.push(Json().set("message", text));
  }
  Json json;
  return json.set("exit", static_cast<int>(code)).set("errors", std::move(errors));
}

int report(const Console& console, const std::string& text, ExitCode code,
           const std::vector<Diagnostic>* several = nullptr) {
  if (console.json) {
    console.err.print(error_json(text, code, several).dump() + "\n");
  } else {
    // A block of errors has its own places and words; a single sentence gets one.
    const bool block = text.find("error: ") != text.npos;
    console.err.print((block ? "" : console.err.red("error: ")) + text +
                      (text.ends_with('\n') ? "" : "\n"));
  }
  return static_cast<int>(code);
}

ExitCode run_verb(const std::vector<std::string>& arguments, Command command,
                  const Console& console, std::span<const Kind> kinds, StopRequest& stop) {
  const bool json = command.has("json");
  if (!command.verb && command.has("version")) {
    console.out.print(json ? version_json() : version_page());
    return ExitCode::ok;
  }
  const bool own_page = command.verb && command.verb->explains_operand && !command.operands.empty();
  if (!command.verb || (command.has("help") && !own_page)) {
    const Verb* verb = command.verb;
    console.out.print(json   ? help_json(verb)
                      : verb ? help_text(*verb, console.out.width)
                             : help_text(console.out.width));
    return ExitCode::ok;
  }
  std::vector<std::string> argv = {"attune"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  Session session{std::move(command), console, std::move(argv), stop, kinds, configs_folder()};
  return function_of(*session.command.verb)(session);
}

// What can be said of the screen before the command line is understood.
Command bare(const std::vector<std::string>& arguments) {
  Command command;
  if (std::find(arguments.begin(), arguments.end(), "--json") != arguments.end())
    command.options["json"];
  return command;
}

}  // namespace

VerbFunction function_of(const Verb& verb) {
  static const std::pair<const char*, VerbFunction> kFunctions[] = {
      {"run", verb_run},
      {"check", verb_check},
      {"list", verb_list},
      {"explain", verb_explain},
      {"show", verb_show},
      {"status", verb_status},
      {"report", verb_report},
      {"eval", verb_eval},
      {"op", verb_op},
      {"doctor", verb_doctor},
      {"completion", verb_completion},
      {"import", verb_import},
      {"verify", verb_verify},
      {"fsck", verb_fsck},
  };
  const auto* found = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                                   [&verb](const auto& entry) { return verb.name == entry.first; });
  return found == std::end(kFunctions) ? nullptr : found->second;
}

namespace {

int run_and_report(const std::vector<std::string>& arguments, std::span<const Kind> kinds,
                   Console& console) {
  static StopRequest stop;  // signals may come until the process ends
  try {
    Command command = parse_command(arguments);
    console = Console::for_process(command);
    return static_cast<int>(run_verb(arguments, std::move(command), console, kinds, stop));
  } catch (const InvalidConfig& e) {
    return report(console, e.what(), e.code(), &e.errors());
  } catch (const DamagedFiles& e) {
    return report(console, e.what(), e.code(), &e.errors());
  } catch (const InterruptedError& e) {
    if (console.json) return report(console, e.what(), e.code());
    console.err.print(fmt::format("{}; the same command goes on from there\n", e.what()));
    return static_cast<int>(e.code());
  } catch (const Error& e) {
    return report(console, e.what(), e.code());
  } catch (const std::bad_alloc&) {
    return report(console, "out of memory; a smaller train.batch_tokens or model may fit",
                  ExitCode::failure);
  } catch (const std::filesystem::filesystem_error& e) {
    return report(console, e.what(), ExitCode::failure);
  } catch (const std::exception& e) {
    return report(console, fmt::format("{} (an error inside attune: please report it)", e.what()),
                  ExitCode::failure);
  }
}

}  // namespace

int run_program(const std::vector<std::string>& arguments, std::span<const Kind> kinds) noexcept {
  Console console = Console::for_process(bare(arguments));
  const int code = run_and_report(arguments, kinds, console);
  const std::string lost = output_failure();
  if (lost.empty()) return code;
  // Codes that stand before `failure` in the contract say more.
  const bool good = code == static_cast<int>(ExitCode::ok) ||
                    code == static_cast<int>(ExitCode::some_failed) ||
                    code == static_cast<int>(ExitCode::differs);
  if (code == static_cast<int>(ExitCode::ok) || !console.json)
    report(console, lost, ExitCode::failure);
  return good ? static_cast<int>(ExitCode::failure) : code;
}

}  // namespace attune
