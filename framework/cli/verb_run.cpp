#include <signal.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "base/files.h"
#include "base/json.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "cli/table.h"
#include "launch/in_process.h"
#include "stats/interval.h"
#include "storage/metadata.h"
#include "storage/run_file.h"
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

// A folder that is gone when the command ends: what --fast-dev-run writes is not kept.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "attune-XXXXXX").string();
    ATTUNE_CHECK(mkdtemp(name.data()) != nullptr, StorageError, "{} cannot be made", name);
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A run file as a study: the config that it holds, for its own seed. The folders of the dataset and
// of the weights that it began with stand in the metadata beside it.
LoadOptions from_run_file(const std::string& path) {
  const RunFile run = read_run_file(path);
  LoadOptions load;
  load.path = path;
  load.text =
      run.trial.config_yaml +
      fmt::format("name: {}\nseeds: [{}]\n", to_text(FieldValue(run.head.name)), run.head.seed);
  const std::string metadata = path.substr(0, path.size() - 3) + ".meta.json";
  if (file_exists(metadata)) {
    const Json json = read_metadata(metadata);
    for (const auto& [entry, key] :
         {std::pair{"data_file", "data.file"}, {"init_from", "train.init_from"}}) {
      const Json* file = json.find(entry);
      const std::string* name = file ? file->text() : nullptr;
      if (name && !name->empty())
        load.overrides.push_back(fmt::format("{}={}", key, to_text(FieldValue(*name))));
    }
  }
  return load;
}

Study load(const Session& session) {
  const Command& command = session.command;
  const std::string& operand = command.operands[0];
  LoadOptions options = operand.ends_with(".h5") ? from_run_file(operand) : LoadOptions{};
  options.path = operand;
  options.library = session.configs;
  options.overrides.insert(options.overrides.end(), command.overrides.begin(),
                           command.overrides.end());
  if (const auto seeds = command.seeds("seeds"))
    options.overrides.push_back("seeds=" + to_text(FieldValue(*seeds)));
  if (command.has("fast-dev-run"))
    for (const char* o : {"train.steps=1", "train.eval_every=1", "schedule.warmup=0"})
      options.overrides.emplace_back(o);
  return load_study(options, session.kinds);
}

void print_config(const Session& session, const Study& study, const std::string& what) {
  const Output& out = session.console.out;
  if (what == "origin") {
    out.print(origins(study.binding));
  } else if (what == "study") {
    out.print(study.yaml());
  } else {
    std::vector<ConfigLeaf> job;
    for (const BoundLeaf& bound : study.binding.leaves)
      if (bound.leaf.role == Role::result) job.push_back(bound.leaf);
    out.print(dump(job));
  }
}

// Another base config, or other data, under the same name would mix two studies in one folder.
void refuse_changes(const Session& session, const Study& study, const std::vector<Trial>& trials,
                    const StudyFolder& folder) {
  const std::vector<std::string> frozen = folder.frozen();
  if (frozen.empty()) return;
  LoadOptions before;
  before.path = frozen.back();
  const Study then = [&] {
    try {
      return load_study(before, session.kinds);
    } catch (const ConfigError& error) {
      throw DamagedError(fmt::format(
          "{}, frozen at the last start of this study, cannot be read:\n{}\nRemove it, or give the "
          "study another name (name=…) or folder (-o). Finished trials stay",
          before.path, error.what()));
    }
  }();
  const auto recorded = [](const Study& s) {
    Trial t;
    for (const BoundLeaf& bound : s.binding.leaves) t.config.push_back(bound.leaf);
    return t.recorded_config();
  };
  std::string text;
  for (const std::string& change : changed_keys(recorded(then), recorded(study)))
    text += "  " + change + "\n";
  ATTUNE_CHECK(text.empty(), ChangedError,
               "{} holds a study of this name with another config:\n{}Give this one another name "
               "(name=…) or folder (-o), or go back to the values then.",
               folder.path(), text);
  for (const std::string& stem : folder.finished()) {
    const RunHead head = read_run_head(folder.run_path(stem));
    for (const Trial& trial : trials) {
      if (trial.seed != head.seed || trial.row != head.row) continue;
      ATTUNE_CHECK(trial.data_sha256 == head.data_sha256, ChangedError,
                   "the data's content is not what {} was made with (sha256 {:.8}… now, {:.8}… "
                   "then). Finished trials stay; give the study another name, or restore the data.",
                   folder.run_path(stem), trial.data_sha256, head.data_sha256);
      ATTUNE_CHECK(trial.init_sha256 == head.init_sha256, ChangedError,
                   "train.init_from holds other weights than {} began with (sha256 {:.8}… now, "
                   "{:.8}… then). Give the study another name, or restore the file.",
                   folder.run_path(stem), trial.init_sha256, head.init_sha256);
    }
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

// What the study's trials have come to: one row an experiment, a value a seed and metric.
std::vector<RowSummary> summarise(const Study& study, const std::vector<Trial>& trials,
                                  const StudyFolder& folder) {
  RowSummary row;
  row.row = trials.front().row;
  for (const std::string& path : study.options->options().shown_metrics())
    row.metrics.emplace_back(path, std::vector<double>());
  for (const Trial& trial : trials) {
    const auto path = folder.find_finished(trial);
    if (!path) {
      row.n_missing += 1;
      continue;
    }
    const RunHead head = read_run_head(*path);
    if (head.status == "diverged") {
      row.n_diverged += 1;
      continue;
    }
    for (auto& [metric, values] : row.metrics)
      for (const FinalMetric& m : head.final)
        if (m.split + "/" + m.name == metric) values.push_back(m.value);
  }
  return {row};
}

Json summary_json(const Study& study, const std::vector<RowSummary>& rows,
                  const std::string& folder, const Outcome& outcome) {
  Json json;
  json.set("study", study.options->name).set("folder", folder);
  json.set("trials", static_cast<Index>(outcome.trials.size()));
  json.set("trained", outcome.launched.finished).set("already_finished", outcome.already);
  json.set("diverged", rows[0].n_diverged).set("missing", rows[0].n_missing);
  Json list = Json::List{};
  for (const RowSummary& row : rows) {
    for (const auto& [metric, values] : row.metrics) {
      Json entry;
      entry.set("row", row.row).set("metric", metric).set("n", static_cast<Index>(values.size()));
      if (!values.empty()) {
        const MeanEstimate estimate = mean_with_t_interval(values);
        entry.set("mean", estimate.mean);
        if (estimate.interval)
          entry.set("low", estimate.interval->low).set("high", estimate.interval->high);
      }
      list.push(std::move(entry));
    }
  }
  return json.set("rows", std::move(list));
}

void print_outcome(const Session& session, const Study& study, const StudyFolder& folder,
                   const Outcome& outcome) {
  const std::vector<RowSummary> rows = summarise(study, outcome.trials, folder);
  const Output& out = session.console.out;
  if (session.console.json) {
    out.print(summary_json(study, rows, folder.path(), outcome).dump() + "\n");
    return;
  }
  out.print(closing_table(rows, out.width));
  if (!session.command.has("fast-dev-run"))
    out.print(out.dim(fmt::format("{}: {} in {}\n", study.options->name,
                                  counted(outcome.trials.size()), folder.path())));
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

int default_threads() { return static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN))); }

}  // namespace

ExitCode verb_run(Session& session) {
  const Command& command = session.command;
  const Console& console = session.console;
  route_signals(session.stop, {SIGUSR1});  // a warning may come early, and is heeded when it can be
  const Study study = load(session);
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
  const std::string out = scratch ? scratch->path() : command.text("out").value_or("results");
  StudyFolder folder((std::filesystem::path(out) / study.options->name).string());

  std::vector<Trial> waiting;
  if (folder.exists()) {
    refuse_changes(session, study, outcome.trials, folder);
    folder.clean();
  }
  for (const Trial& trial : outcome.trials)
    if (!folder.find_finished(trial)) waiting.push_back(trial);
  outcome.already = static_cast<Index>(outcome.trials.size() - waiting.size());
  if (!waiting.empty()) {
    // From here on there is something to save; before, Ctrl-C and SIGTERM end the process at once.
    route_signals(session.stop, {SIGINT, SIGTERM});
    folder.freeze(study.yaml());
    Progress progress(style_of(console));
    LaunchOptions launch;
    launch.threads = static_cast<int>(command.integer("threads").value_or(default_threads()));
    launch.sink = [&progress](const Event& event) { progress(event); };
    launch.stop = &session.stop;
    launch.argv = session.argv;
    std::optional<TimeLimit> limit;
    if (const auto seconds = command.seconds("max-time")) limit.emplace(session.stop, *seconds);
    outcome.launched = InProcessLauncher().run(study, waiting, folder, launch);
    folder.refresh();
  } else if (!console.quiet) {
    console.err.print(
        fmt::format("{} finished already, nothing to do\n", counted(outcome.trials.size())));
  }
  print_outcome(session, study, folder, outcome);
  for (const std::string& failure : outcome.launched.failures)
    console.err.print(fmt::format("{}: {}\n", console.err.red("failed"), failure));
  const LaunchResult& launched = outcome.launched;
  if (launched.busy > 0) {
    throw BusyError(
        fmt::format("{} of {} trials are held by other processes; the same command "
                    "shows the table when they are done",
                    launched.busy, outcome.trials.size()));
  }
  if (launched.failures.empty()) return ExitCode::ok;
  return launched.finished + outcome.already == 0 ? ExitCode::failure : ExitCode::some_failed;
}

}  // namespace attune
