#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/stop.h"
#include "cli/command.h"
#include "cli/console.h"
#include "train/kind.h"

namespace attune {

// What a verb gets: the command line, where to print, who may stop it, and what the program was
// linked with.
struct Session {
  Command command;
  Console console;
  std::vector<std::string> argv;  // as typed, for provenance
  StopRequest& stop;
  std::span<const Kind> kinds;
  std::string configs;  // attune's own config folder; empty where there is none
};

// Verbs, a file each. What goes wrong is thrown as an Error.
ExitCode verb_run(Session& session);
ExitCode verb_check(Session& session);
ExitCode verb_list(Session& session);
ExitCode verb_explain(Session& session);
ExitCode verb_show(Session& session);
ExitCode verb_status(Session& session);
ExitCode verb_report(Session& session);
ExitCode verb_eval(Session& session);
ExitCode verb_verify(Session& session);
ExitCode verb_fsck(Session& session);
ExitCode verb_op(Session& session);
ExitCode verb_doctor(Session& session);
ExitCode verb_completion(Session& session);
ExitCode verb_import(Session& session);

// The verb's function; null for a verb without one.
using VerbFunction = ExitCode (*)(Session&);
VerbFunction function_of(const Verb& verb);

// All of a process: parses, prints help or version, runs the verb; an error becomes text (JSON with
// --json) on stderr and the exit code. Throws nothing.
int run_program(const std::vector<std::string>& arguments, std::span<const Kind> kinds) noexcept;

}  // namespace attune
