#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/profile_table.h"
#include "cli/progress.h"
#include "cli/report_files.h"
#include "cli/report_text.h"
#include "cli/scratch_folder.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "cli/table.h"
#include "launch/in_process.h"
#include "launch/worker.h"
#include "launch/workers.h"
#include "storage/metadata.h"
#include "study/outcome.h"
#include "study/recorded_study.h"
#include "study/registration.h"
#include "study/standing.h"
#include "study/study_config.h"

namespace attune {
namespace {

// Asks for a stop when --max-time is over, unless it is destroyed before.
class TimeLimit {
 public:
  TimeLimit(StopRequest& stop, double seconds)
      : thread_([this, &stop, seconds](std::stop_token ended) {
          std::unique_lock lock(mutex_);
          const std::chrono::duration<double> limit(seconds);
          if (!wake_.wait_for(lock, ended, limit, [&] { return ended.stop_requested(); }))
            stop.request(ExitCode::run_again);
        }) {}

 private:
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it uses the others
};

Study load(const Session& session) {
  const Command& command = session.command;
  const std::string& operand = command.operands[0];
  std::optional<RunFile> run;
  if (operand.ends_with(".h5")) run = read_run_file(operand);
  LoadOptions options;
  if (run) {
    options = recorded_load(*run, session.kinds);
    checked_sha256(operand, metadata_beside(operand));
  }
  options.path = operand;
  options.library = session.configs;
  options.overrides.insert(options.overrides.end(), command.overrides.begin(),
                           command.overrides.end());
  const bool twice = std::any_of(command.overrides.begin(), command.overrides.end(),
                                 [](const std::string& o) { return o.starts_with("seeds="); });
  if (twice && command.has("seeds"))
    refuse_command("--seeds and seeds= both say which seeds; give one of them");
  if (const auto seeds = command.seeds("seeds"))
    options.overrides.push_back("seeds=" + to_text(FieldValue(*seeds)));
  Study study = load_study(options, session.kinds);
  if (command.has("fast-dev-run")) {
    for (const char* o : {"train.steps=1", "train.eval_every=1", "schedule.warmup=0"}) {
      const std::string_view key = std::string_view(o).substr(0, std::string_view(o).find('='));
      if (study.reference().binding.find(key)) options.overrides.emplace_back(o);
    }
    study = load_study(options, session.kinds);
  }
  // What a run file calls its row, it is called again.
  if (run) study.rows.front().name = run->head.row;
  return study;
}

void print_config(const Session& session, const Study& study, const std::string& what) {
  const Output& out = session.console.out;
  if (session.console.json) {
    Json json = Json::Map{};
    for (const BoundLeaf& bound : study.reference().binding.leaves) {
      const Json value(bound.leaf.value);
      if (what == "origin") {
        json.set(bound.leaf.key, Json().set("value", value).set("from", origin_text(bound)));
      } else if (what == "study" || bound.leaf.role == Role::result) {
        json.set(bound.leaf.key, value);
      }
    }
    out.print(json.dump() + "\n");
  } else if (what == "origin") {
    out.print(origins(study.reference().binding));
  } else if (what == "study") {
    out.print(study.yaml());
  } else {
    std::vector<ConfigLeaf> job;
    for (const ConfigLeaf& leaf : study.reference().config())
      if (leaf.role == Role::result) job.push_back(leaf);
    out.print(dump(job));
  }
}

std::string counted(std::size_t trials) {
  return fmt::format("{} trial{}", trials, trials == 1 ? "" : "s");
}

struct Outcome {
  std::vector<Trial> trials;
  Index already = 0;  // finished before this command
  LaunchResult launched;
};

Json summary_json(const StudyReport& report, const Outcome& outcome) {
  Json json = report_json(report);
  json.set("trained", outcome.launched.finished).set("already_finished", outcome.already);
  return json;
}

void print_outcome(const Session& session, const Study& study, const StudyFolder& folder,
                   const Outcome& outcome) {
  Diagnostics told_already;
  const std::vector<Claim> claims = read_claims(study.said.claims, study, told_already);
  const StudyReport report = report_of(study, claims, outcome.trials, folder);
  const Output& out = session.console.out;
  if (session.console.json) return out.print(summary_json(report, outcome).dump() + "\n");
  out.print(means_text(report, out));
  if (session.console.verbose)
    if (const std::string folds = fold_table(report.rows, report.shown, out.width); !folds.empty())
      out.print("\n" + folds);
  if (session.command.has("fast-dev-run")) return;
  if (const std::string judged = claims_text(report, out); !judged.empty())
    out.print("\n" + judged + "\n");
  out.print(out.dim(
      fmt::format("{}: {} in {}\n", study.name(), counted(outcome.trials.size()), folder.path())));
}

Progress::Style style_of(const Console& console) {
  Progress::Style style;
  style.terminal = console.err.terminal;
  style.quiet = console.quiet;
  style.verbose = console.verbose;
  style.width = console.err.width;
  style.now = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  };
  style.write = [&console](std::string_view text) { console.err.print(text); };
  return style;
}

// What several trials do not need they give to each other: a thread a trial pays most.
struct Workforce {
  int threads = 1;  // a trial
  int jobs = 1;     // trials at once
};
Workforce workforce(const Command& command, std::size_t n_trials) {
  Workforce force;
  force.threads = n_trials > 1 && !command.has("threads") ? 1 : command.threads();
  force.jobs = static_cast<int>(
      command.integer("jobs").value_or(std::max(1, machine_cores() / force.threads)));
  return force;
}

// This process as a worker of another start of the same command.
ExitCode work(Session& session, const WorkerPipes& pipes) {
  route_signals(session.stop, {SIGTERM});
  unsetenv("ATTUNE_WORKER");
  const Study study = load(session);
  StudyFolder folder(
      (std::filesystem::path(session.command.text("out").value_or("results")) / study.name())
          .string());
  LaunchOptions launch;
  launch.threads = workforce(session.command, plan_places(study).size()).threads;
  launch.stop = &session.stop;
  launch.argv = session.argv;
  return run_worker(pipes, study, folder, launch);
}

}  // namespace

ExitCode verb_run(Session& session) {
  const Command& command = session.command;
  const Console& console = session.console;
  if (const auto pipes = worker_pipes()) return work(session, *pipes);
  route_signals(session.stop, {SIGUSR1});  // a warning may come early, and is heeded when it can be
  const Study study = load(session);
  if (!console.json)
    for (const Diagnostic& note : study.notes) console.err.print(note.text("note"));
  if (const auto what = command.text("cfg")) {
    print_config(session, study, *what);
    return ExitCode::ok;
  }
  Outcome outcome;
  outcome.trials = plan_trials(study);
  const bool rehearsal = command.has("fast-dev-run");
  if (rehearsal) outcome.trials.resize(1);
  const std::optional<ScratchFolder> scratch =
      rehearsal ? std::optional<ScratchFolder>(std::in_place) : std::nullopt;
  if (const auto named = command.text("out"); named && file_exists(*named)) {
    std::error_code none;
    if (!std::filesystem::is_directory(*named, none))
      refuse_command(
          fmt::format("-o {} is no folder; name one that study folders go into", *named));
  }
  const std::string out = scratch ? scratch->path() : command.text("out").value_or("results");
  StudyFolder folder((std::filesystem::path(out) / study.name()).string());

  std::optional<Profile> profile;
  if (command.has("profile")) profile.emplace();
  std::vector<Trial> waiting;
  if (folder.exists()) {
    require_same_study(study, outcome.trials, folder, session.kinds);
    folder.clean();
  }
  for (const Trial& trial : outcome.trials)
    if (!folder.find_finished(trial)) waiting.push_back(trial);
  outcome.already = static_cast<Index>(outcome.trials.size() - waiting.size());
  // What the study says of itself may have grown where nothing is to be trained: a claim, say.
  const std::string text =
      text_to_freeze(study.yaml(), folder, static_cast<Index>(folder.finished().size()),
                     static_cast<Index>(outcome.trials.size()));
  if (const std::vector<std::string> frozen = folder.frozen();
      waiting.empty() && (frozen.empty() || read_file(frozen.back()) != text))
    folder.freeze(text);
  if (!waiting.empty()) {
    // From here on there is something to save; before, Ctrl-C and SIGTERM end the process at once.
    route_signals(session.stop, {SIGINT, SIGTERM});
    // Asked again under the study's lock, for another start may have been first.
    folder.freeze(text, [&] { require_same_study(study, outcome.trials, folder, session.kinds); });
    Progress progress(style_of(console));
    LaunchOptions launch;
    const Workforce force = workforce(command, outcome.trials.size());
    launch.threads = force.threads;
    if (!console.json) launch.sink = [&progress](const Event& event) { progress(event); };
    launch.stop = &session.stop;
    launch.argv = session.argv;
    if (profile) launch.profile = &*profile;
    std::optional<TimeLimit> limit;
    if (const auto seconds = command.seconds("max-time")) limit.emplace(session.stop, *seconds);
    try {
      const int jobs = std::min(force.jobs, static_cast<int>(waiting.size()));
      // What is rehearsed or profiled is looked at from here.
      if (jobs > 1 && !rehearsal && !profile) {
        outcome.launched = WorkerLauncher(jobs).run(study, waiting, folder, launch);
      } else {
        outcome.launched = InProcessLauncher().run(study, waiting, folder, launch);
      }
    } catch (const InterruptedError& stopped) {
      // What is finished is told, unless a person who waits at a terminal wants it to end.
      folder.refresh();
      if (console.json || stopped.code() == ExitCode::run_again)
        print_outcome(session, study, folder, outcome);
      throw;
    }
    folder.refresh();
  } else if (!console.quiet && !console.json) {
    console.err.print(
        fmt::format("{} finished already, nothing to do\n", counted(outcome.trials.size())));
  }
  print_outcome(session, study, folder, outcome);
  if (profile && !console.json) {
    const std::string path = folder.path() + "/profile.trace.json";
    console.out.print(profile_text(*profile, console.out.width));
    if (profile->n_steps() > 0) {
      write_atomically(path, profile->trace());
      console.out.print(console.out.dim(path + ": ui.perfetto.dev and chrome://tracing open it\n"));
    }
  }
  const LaunchResult& launched = outcome.launched;
  if (!console.json)
    for (const std::string& failure : launched.failures)
      console.err.print(fmt::format("{}: {}\n", console.err.red("failed"), failure));
  if (launched.busy > 0) {
    throw BusyError(
        fmt::format("{} of {} trials are held by other processes; the same command "
                    "shows the table when they are done",
                    launched.busy, outcome.trials.size()));
  }
  if (launched.failures.empty()) return ExitCode::ok;
  const ExitCode code =
      launched.finished + outcome.already == 0 ? ExitCode::failure : ExitCode::some_failed;
  if (console.json) throw Error(code, join(launched.failures, "; "));
  return code;
}

}  // namespace attune
