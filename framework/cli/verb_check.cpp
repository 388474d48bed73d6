#include "base/json.h"
#include "cli/session.h"
#include "datasets/dataset_file.h"
#include "storage/eval_file.h"
#include "storage/metadata.h"
#include "storage/run_file.h"
#include "study/recorded_study.h"

namespace attune {
namespace {

// An error that has no place in a text file.
Diagnostic about(const std::string& file, const std::string& message) {
  Diagnostic d;
  d.message = message.find(file) == message.npos ? file + ": " + message : message;
  return d;
}

// What is wrong with a study's file, its data included; its notes go to stderr.
std::vector<Diagnostic> study_errors(const Session& session, const std::string& path) {
  LoadOptions load;
  load.path = path;
  load.overrides = session.command.overrides;
  load.library = session.configs;
  try {
    const Study study = load_study(load, session.kinds);
    if (!session.console.quiet && !session.console.json)
      for (const Diagnostic& note : study.notes) session.console.err.print(note.text("note"));
    plan_trials(study);
  } catch (const InvalidConfig& e) {
    return e.errors();
  } catch (const Error& e) {
    return {about(path, e.what())};
  }
  return {};
}

// What is wrong with an HDF5 file: a run file or an evaluation, as it says, or else it must be a
// dataset file. DamagedError where one of the first two is no longer whole.
std::vector<Diagnostic> stored_errors(const Session& session, const std::string& path) {
  try {
    const RunFile run = read_run_file(path);
    checked_sha256(path, metadata_beside(path));
    recorded_study(run, session.kinds);
    return {};
  } catch (const DataError&) {  // no run file
  }
  try {
    read_eval_file(path);
    return {};
  } catch (const DataError&) {  // no evaluation
  }
  std::vector<Diagnostic> errors;
  for (const std::string& fault : dataset_file_faults(path)) errors.push_back(about(path, fault));
  return errors;
}

}  // namespace

ExitCode verb_check(Session& session) {
  std::vector<Diagnostic> errors;
  bool invalid = false;  // an error that is no damage
  std::string text;
  Json files = Json::List{};
  for (const std::string& path : session.command.operands) {
    std::vector<Diagnostic> found;
    try {
      found = path.ends_with(".h5") ? stored_errors(session, path) : study_errors(session, path);
      invalid = invalid || !found.empty();
    } catch (const DamagedError& e) {
      found = {about(path, e.what())};
    }
    for (const Diagnostic& d : found) text += d.text("error");
    errors.insert(errors.end(), found.begin(), found.end());
    Json file;
    files.push(file.set("file", path).set("errors", static_cast<Index>(found.size())));
    if (found.empty() && !session.console.json) session.console.out.print(path + ": no errors\n");
  }
  if (!errors.empty()) {
    text += nothing_was_run(errors.size());
    if (invalid) throw InvalidConfig(text, std::move(errors));
    throw DamagedFiles(text, std::move(errors));
  }
  if (session.console.json) session.console.out.print(files.dump() + "\n");
  return ExitCode::ok;
}

}  // namespace attune
