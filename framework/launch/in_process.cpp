#include "launch/in_process.h"

#include <chrono>
#include <filesystem>
#include <numeric>
#include <utility>

#include "base/build_facts.h"
#include "storage/metadata.h"
#include "train/trial_recorder.h"

namespace attune {
namespace {

// The text of a leaf, or nothing when it is null or absent.
std::string text_of(const Row& row, std::string_view key) {
  const BoundLeaf* bound = row.binding.find(key);
  const auto* text = bound ? std::get_if<std::string>(&bound->leaf.value) : nullptr;
  return text ? *text : std::string();
}

RunMetadata metadata_of(const Row& row, const LaunchOptions& options, const TrialRecorder& recorder,
                        const std::string& started) {
  RunMetadata m;
  m.started = started;
  m.finished = utc_now();
  m.seconds = recorder.seconds();
  m.attempts = recorder.attempts();
  m.executed_steps = recorder.executed_steps();
  m.threads = options.threads;
  m.argv = options.argv;
  m.folder = std::filesystem::current_path().string();
  m.data_file = text_of(row, "data.file");
  m.init_from = text_of(row, "train.init_from");
  for (const BoundLeaf& bound : row.binding.leaves)
    m.origins.emplace_back(bound.leaf.key, origin_text(bound));
  for (const Measured& figure : recorder.measured())
    m.measured.push_back({figure.name, figure.value, figure.units});
  return m;
}

// Runs one trial in its folder; tells the sink how it ended.
void run_one(const Row& row, const Trial& trial, RunningTrial& running,
             const LaunchOptions& options, kernels::Threads& threads, Profile* profile, Index place,
             Index n_trials, LaunchResult& result) {
  const auto sink = [&options, place](Event event) {
    // The trainer does not know its place among the trials.
    std::visit(
        [place](auto& e) {
          if constexpr (requires { e.trial; }) e.trial = place;
        },
        event);
    if (options.sink) options.sink(event);
  };
  const std::string started = utc_now();
  const BoundLeaf* steps = row.binding.find("train.steps");
  const Index n_steps = steps ? std::get<Index>(steps->leaf.value) : 0;
  TrialRecorder recorder(running.folder(), trial.identity(), std::string(build_facts().build_id),
                         n_steps, sink, options.stop);
  sink(TrialStarted{place, n_trials, trial.stem(), recorder.resumes_at(), n_steps});
  TrialEnded ended{.trial = place, .final = {}, .why = {}};
  try {
    RunContext context{recorder, threads, profile};
    row.kind().run(trial, row.kind_options(), context);
    const RunContent& content = recorder.content();
    running.finish(trial, content, metadata_of(row, options, recorder, started));
    result.finished += 1;
    if (content.status == "diverged") {
      result.diverged += 1;
      ended.how = TrialEnded::How::diverged;
      ended.why = content.final.empty() ? "" : content.final.front().how;
    }
    ended.step = content.steps;
    for (const std::string& path : row.kind_options().shown_metrics())
      for (const FinalMetric& m : content.final)
        if (m.split + "/" + m.name == path) ended.final.emplace_back(path, m.value);
  } catch (const InterruptedError& stop) {
    ended.how = TrialEnded::How::stopped;
    ended.why = stop.what();
    ended.seconds = recorder.seconds();
    sink(ended);
    throw;
  } catch (const std::exception&) {
    ended.how = TrialEnded::How::failed;  // who catches it says why
    ended.seconds = recorder.seconds();
    sink(ended);
    throw;
  }
  ended.seconds = recorder.seconds();
  sink(ended);
}

}  // namespace

LaunchResult InProcessLauncher::run(const Study& study, const std::vector<Trial>& waiting,
                                    StudyFolder& folder, const LaunchOptions& options) {
  LaunchResult result;
  kernels::Threads threads(options.threads);
  Profile* waiting_profile = options.profile;
  const auto n = static_cast<Index>(waiting.size());
  std::vector<Index> todo(waiting.size());
  std::iota(todo.begin(), todo.end(), 0);
  // What others held is asked for again after the rest: by then it may be finished, or its owner
  // gone. A pass that trains nothing is the last.
  for (bool trained = true; trained && !todo.empty();) {
    trained = false;
    std::vector<Index> held;
    for (const Index i : todo) {
      const Trial& trial = waiting[static_cast<std::size_t>(i)];
      if (options.stop && options.stop->requested())
        throw InterruptedError(*options.stop->requested(), "stopped between two trials");
      try {
        auto running = folder.start(trial);
        if (!running) continue;  // another process has finished it
        trained = true;
        Profile* const profile = std::exchange(waiting_profile, nullptr);
        run_one(study.row_of(trial), trial, *running, options, threads, profile, i + 1, n, result);
      } catch (const BusyError&) {
        held.push_back(i);
      } catch (const std::bad_alloc&) {
        result.failures.push_back(trial.stem() + " ran out of memory");
      }
    }
    todo = std::move(held);
  }
  result.busy = static_cast<Index>(todo.size());
  return result;
}

}  // namespace attune
