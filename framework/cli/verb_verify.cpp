#include <signal.h>

#include <algorithm>

#include "base/files.h"
#include "base/hash.h"
#include "base/philox.h"
#include "base/text.h"
#include "cli/find_study.h"
#include "cli/scratch_folder.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "launch/in_process.h"
#include "storage/metadata.h"
#include "study/recorded_study.h"
#include "study/verify.h"

namespace attune {
namespace {

// What became of one run file.
struct Verdict {
  std::string path;
  ExitCode code = ExitCode::ok;
  std::string text;  // whole lines
  bool other_build = false;
  std::optional<RunDifference> difference;
  std::string cause;
};

// The trial of the file in the study that it holds; refused when it is not the same any more.
Trial trial_of(const RunFile& run, const Study& study) {
  std::vector<Trial> planned = plan_trials(study);
  ATTUNE_CHECK(!planned.empty(), DamagedError, "{}: its config asks for no trial", run.path);
  Trial trial = planned.front();
  trial.stop_step = run.head.stop_step;
  trial.repeat = run.head.repeat;
  std::string changes;
  for (const std::string& change :
       changed_keys(run.trial.recorded_config(), trial.recorded_config()))
    changes += "  " + change + "\n";
  ATTUNE_CHECK(changes.empty(), ConfigError,
               "{}: a run is repeated with its own config:\n{}Only data.file=… and "
               "train.init_from=… may be given, to say where its files are now",
               run.path, changes);
  ATTUNE_CHECK(trial.data_sha256 == run.head.data_sha256, ChangedError,
               "the data's content is not what {} was made with (sha256 {:.8}… now, {:.8}… then). "
               "Restore it, or say where it is with data.file=…",
               run.path, trial.data_sha256, run.head.data_sha256);
  ATTUNE_CHECK(trial.init_sha256 == run.head.init_sha256, ChangedError,
               "train.init_from holds other weights than {} began with (sha256 {:.8}… now, {:.8}… "
               "then). Restore the file, or say where it is with train.init_from=…",
               run.path, trial.init_sha256, run.head.init_sha256);
  return trial;
}

// Runs it again into `folder`: the new run file's path.
std::string repeat(const Session& session, const RunFile& run, const std::string& folder) {
  LoadOptions load = recorded_load(run, session.kinds);
  load.library = session.configs;
  load.overrides.insert(load.overrides.end(), session.command.overrides.begin(),
                        session.command.overrides.end());
  Study study = load_study(load, session.kinds);
  study.rows.front().name = run.head.row;
  const Trial trial = trial_of(run, study);
  StudyFolder scratch(folder);
  LaunchOptions launch;
  launch.threads = session.command.threads();
  launch.stop = &session.stop;
  launch.argv = session.argv;
  const LaunchResult result = InProcessLauncher().run(study, {trial}, scratch, launch);
  ATTUNE_CHECK(result.finished == 1, StorageError, "{} could not be repeated: {}", run.path,
               join(result.failures));
  scratch.refresh();
  const auto path = scratch.find_finished(trial);
  ATTUNE_CHECK(path, StorageError, "{} was repeated, and left no run file in {}", run.path, folder);
  return *path;
}

// In lines: the first step and tensor, what the hashes say, and the reason.
std::string difference_text(const RunFile& recorded, const RunDifference& d,
                            const std::string& cause) {
  std::string text;
  if (!d.values.empty()) {
    const ValueDifference& first = d.values.front();
    text += fmt::format("  first difference{}: {}: {} recorded, {} repeated\n",
                        first.step ? fmt::format(" at step {}", *first.step) : "", first.where,
                        first.recorded, first.repeated);
  }
  if (d.differs_at)
    text += fmt::format("  parameters (/hashes): {}other at step {}\n",
                        d.same_at ? fmt::format("the same at step {}, ", *d.same_at) : "",
                        *d.differs_at);
  if (d.n_tensors_differ > 0) {
    const auto tensor = std::find_if(d.values.begin(), d.values.end(), [](const auto& value) {
      return value.where.starts_with("/weights");
    });
    text += fmt::format("  tensors of step {}: {} of {} differ, the first is {}\n", d.weights_step,
                        d.n_tensors_differ, d.n_tensors, tensor->where);
  } else if (d.differs_at) {
    text += fmt::format(
        "  no tensor can be named: the file keeps {}; "
        "results.save_parameters=[{}] would keep those of that step\n",
        recorded.content.weights.empty() ? "no parameters" : "parameters of other steps",
        *d.differs_at);
  }
  constexpr std::size_t kMost = 8;
  if (d.values.size() > 1) {
    std::vector<std::string> others;
    for (std::size_t i = 1; i < std::min(d.values.size(), kMost + 1); ++i)
      others.push_back(d.values[i].where);
    text += fmt::format("  also: {}{}\n", join(others),
                        d.values.size() > kMost + 1
                            ? fmt::format(" and {} more", d.values.size() - kMost - 1)
                            : "");
  }
  return text + "  " + cause + "\n";
}

void compare(Verdict& verdict, const RunFile& recorded, const std::string& repeated_path) {
  const std::string bytes = read_file(verdict.path), again = read_file(repeated_path);
  if (bytes == again) {
    verdict.text += fmt::format("{}: the same {} bytes\n", verdict.path, bytes.size());
    return;
  }
  const RunFile repeated = read_run_file(repeated_path);
  const Json metadata = metadata_beside(verdict.path);
  verdict.other_build = recorded.head.build_id != repeated.head.build_id;
  // But for the build's name in it.
  if (verdict.other_build &&
      run_file_bytes(repeated.trial, repeated.content, recorded.head.build_id) == bytes) {
    verdict.text += fmt::format(
        "{}: the same bytes but for build_id: another build wrote it ({}, "
        "this one is {}), and every number is the same\n",
        verdict.path, recorded.head.build_id, repeated.head.build_id);
    return;
  }
  DifferenceCause cause =
      cause_of_difference(recorded.head, metadata, repeated.head, metadata_beside(repeated_path));
  const Json* written = metadata.find("run_file_sha256");
  if (written && written->text() && *written->text() == sha256(again))
    cause = {DifferenceCause::Kind::changed,
             "The repeated run has the SHA-256 that was recorded: this file was changed after it "
             "was written."};
  verdict.code = ExitCode::differs;
  verdict.cause = name_of(cause.kind);
  verdict.difference = compare_runs(recorded, repeated);
  if (verdict.difference->none()) {
    const auto at = std::mismatch(bytes.begin(), bytes.end(), again.begin(), again.end()).first;
    verdict.text +=
        fmt::format("{}: differs from byte {} of {} on, and every number is the same\n  {}\n",
                    verdict.path, at - bytes.begin(), bytes.size(), cause.text);
    return;
  }
  verdict.text += fmt::format("{}: differs\n", verdict.path) +
                  difference_text(recorded, *verdict.difference, cause.text);
}

// What is wrong with one file does not keep the others from being looked at.
Verdict verify(const Session& session, const std::string& path) {
  Verdict verdict;
  verdict.path = path;
  try {
    const RunFile run = read_run_file(path);
    std::string damage;
    try {
      checked_sha256(path, metadata_beside(path));
    } catch (const DamagedError& error) {  // where it is damaged is worth knowing
      damage = error.what();
    }
    const ScratchFolder scratch;
    compare(verdict, run, repeat(session, run, scratch.path() + "/again"));
    if (!damage.empty()) {
      verdict.code = ExitCode::damaged;
      verdict.text += damage + "\n";
    }
  } catch (const InterruptedError&) {
    throw;
  } catch (const Error& error) {
    verdict.code = error.code();
    verdict.text +=
        std::string(error.what()) + (std::string_view(error.what()).ends_with('\n') ? "" : "\n");
  }
  return verdict;
}

// The run files that PATH names: itself, or those of a study, all or some drawn at random.
std::vector<std::string> files_of(const Session& session) {
  const Command& command = session.command;
  const std::string& operand = command.operands.front();
  if (operand.ends_with(".h5")) return {operand};
  const StudyFolder folder(find_study(operand, command.text("out").value_or("results")));
  std::vector<std::string> paths;
  for (const std::string& stem : folder.finished()) paths.push_back(folder.run_path(stem));
  ATTUNE_CHECK(!paths.empty(), ConfigError, "{} has no finished trial that could be repeated",
               folder.path());
  const auto n = static_cast<std::size_t>(
      std::max<Index>(1, command.integer("trials").value_or(static_cast<Index>(paths.size()))));
  if (n >= paths.size()) return paths;
  // The first n of a shuffle (Fisher and Yates), in order again.
  const Stream draw(static_cast<std::uint64_t>(command.integer("draw").value_or(0)), "verify",
                    "trials");
  for (std::size_t i = 0; i < n; ++i)
    std::swap(paths[i], paths[i + draw.below(static_cast<std::uint32_t>(paths.size() - i), i)]);
  paths.resize(n);
  std::sort(paths.begin(), paths.end());
  return paths;
}

Json verdict_json(const Verdict& verdict) {
  Json json;
  json.set("file", verdict.path).set("exit", static_cast<int>(verdict.code));
  json.set("same", verdict.code == ExitCode::ok).set("other_build", verdict.other_build);
  if (!verdict.difference)
    return verdict.code == ExitCode::ok ? json : json.set("message", verdict.text);
  const RunDifference& d = *verdict.difference;
  json.set("cause", verdict.cause).set("message", verdict.text);
  json.set("parameters_same_at", d.same_at ? Json(*d.same_at) : Json());
  json.set("parameters_differ_at", d.differs_at ? Json(*d.differs_at) : Json());
  Json values = Json::List{};
  for (const ValueDifference& value : d.values) {
    Json entry;
    entry.set("where", value.where).set("step", value.step ? Json(*value.step) : Json());
    values.push(entry.set("recorded", value.recorded).set("repeated", value.repeated));
  }
  return json.set("differences", std::move(values));
}

// The contract's order of what holds first.
ExitCode worst(ExitCode a, ExitCode b) {
  for (const ExitCode code : {ExitCode::usage, ExitCode::damaged, ExitCode::changed,
                              ExitCode::failure, ExitCode::differs})
    if (a == code || b == code) return code;
  return ExitCode::ok;
}

}  // namespace

ExitCode verb_verify(Session& session) {
  const Console& console = session.console;
  const std::vector<std::string> paths = files_of(session);
  route_signals(session.stop, {SIGINT, SIGTERM});
  ExitCode code = ExitCode::ok;
  std::size_t n_same = 0, n_done = 0;
  Json files = Json::List{};
  for (const std::string& path : paths) {
    Verdict verdict;
    try {
      verdict = verify(session, path);
    } catch (const InterruptedError& stopped) {
      throw Error(stopped.code(),
                  fmt::format("stopped: {} of {} run files were compared, {} of them the same",
                              n_done, paths.size(), n_same));
    }
    n_same += verdict.code == ExitCode::ok;
    n_done += 1;
    code = worst(code, verdict.code);
    if (console.json) {
      files.push(verdict_json(verdict));
      continue;
    }
    const bool good = verdict.code == ExitCode::ok;
    if (!good || paths.size() == 1 || console.verbose) console.out.print(verdict.text);
    if (good && paths.size() > 1 && !console.quiet && !console.verbose)
      console.err.print(fmt::format("{} of {}: {}\n", n_done, paths.size(),
                                    verdict.text.substr(0, verdict.text.size() - 1)));
  }
  if (console.json) {
    Json json;
    json.set("compared", static_cast<Index>(paths.size())).set("same", static_cast<Index>(n_same));
    console.out.print(json.set("files", std::move(files)).dump() + "\n");
  } else if (paths.size() > 1) {
    console.out.print(fmt::format("{} of {} run files are the same when they are repeated\n",
                                  n_same, paths.size()));
  }
  return code;
}

}  // namespace attune
