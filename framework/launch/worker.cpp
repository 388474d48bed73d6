#include "launch/worker.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/hash.h"
#include "launch/event_lines.h"
#include "launch/in_process.h"

namespace attune {
namespace {

// Steps are told at most so often: a line each would cost more than a small step.
constexpr std::chrono::milliseconds kBetweenSteps(50);

class Answers {
 public:
  Answers(int descriptor, Index place, Index n_trials)
      : descriptor_(descriptor), place_(place), n_trials_(n_trials) {}

  void tell(Event event) {
    if (std::holds_alternative<Stepped>(event)) {
      const auto now = std::chrono::steady_clock::now();
      if (now - told_ < kBetweenSteps) return;
      told_ = now;
    }
    // A launcher of one trial calls it the first of one.
    std::visit(
        [this](auto& e) {
          if constexpr (requires { e.trial; }) e.trial = place_;
          if constexpr (requires { e.n_trials; }) e.n_trials = n_trials_;
        },
        event);
    if (const auto* ended = std::get_if<TrialEnded>(&event)) how_ = ended->how;
    say(to_json(event));
  }
  void say(const Json& json) const { write_all(descriptor_, line_of(json)); }
  std::optional<TrialEnded::How> how() const { return how_; }

 private:
  int descriptor_;
  Index place_, n_trials_;
  std::chrono::steady_clock::time_point told_ = {};
  std::optional<TrialEnded::How> how_;
};

std::string text_of(const Json& order, const char* key) {
  const Json* value = order.find(key);
  return value && value->text() ? *value->text() : std::string();
}
Index number_of(const Json& order, const char* key) {
  const Json* value = order.find(key);
  return value && value->integer() ? *value->integer() : 0;
}

Json run_order(const Study& study, std::vector<Trial>& planned, StudyFolder& folder,
               const LaunchOptions& options, const Json& order, Answers& answers) {
  Json result;
  try {
    Trial& trial = planned.at(static_cast<std::size_t>(number_of(order, "trial")));
    trial.data_sha256 = text_of(order, "data_sha256");
    trial.init_sha256 = text_of(order, "init_sha256");
    LaunchOptions own = options;
    own.sink = [&answers](const Event& event) { answers.tell(event); };
    const LaunchResult found = InProcessLauncher().run(study, {trial}, folder, own);
    if (!found.failures.empty())
      return result.set("done", "failed").set("why", found.failures.front());
    if (found.busy > 0) return result.set("done", "busy");
    return result.set("done", found.diverged > 0   ? "diverged"
                              : found.finished > 0 ? "finished"
                                                   : "skipped");
  } catch (const InterruptedError& stopped) {
    return result.set("done", "stopped").set("why", stopped.what());
  } catch (const Error& error) {
    return result.set("error", error.what()).set("code", static_cast<int>(error.code()));
  } catch (const std::exception& error) {
    return result.set("error", error.what()).set("code", static_cast<int>(ExitCode::failure));
  }
}

}  // namespace

std::optional<WorkerPipes> worker_pipes() {
  const char* const text = std::getenv("ATTUNE_WORKER");
  if (text == nullptr) return std::nullopt;
  WorkerPipes pipes;
  if (std::sscanf(text, "%d,%d,%d", &pipes.parent, &pipes.orders, &pipes.answers) != 3)
    return std::nullopt;
  return pipes;
}

ExitCode run_worker(const WorkerPipes& pipes, const Study& study, StudyFolder& folder,
                    const LaunchOptions& options) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != pipes.parent) return ExitCode::failure;  // it ended before that was asked for
  signal(SIGINT, SIG_IGN);  // a terminal sends it to all: the parent says what follows
  signal(SIGPIPE, SIG_IGN);
  LineReader orders(pipes.orders);
  std::vector<Trial> planned = plan_places(study);
  while (const auto line = orders.next()) {
    const Json order = Json::parse(*line, "an order");
    Answers answers(pipes.answers, number_of(order, "place"), number_of(order, "n_trials"));
    if (order.find("study")) {
      if (text_of(order, "study") == sha256(study.yaml())) continue;
      answers.say(
          Json()
              .set("error", "the study's file was changed while it was read; start it again")
              .set("code", static_cast<int>(ExitCode::failure)));
      return ExitCode::failure;
    }
    answers.say(run_order(study, planned, folder, options, order, answers));
    if (options.stop && options.stop->requested()) break;
  }
  return ExitCode::ok;
}

}  // namespace attune
