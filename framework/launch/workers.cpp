#include "launch/workers.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <memory>

#include "base/hash.h"
#include "launch/event_lines.h"
#include "launch/pipe.h"

extern char** environ;

namespace attune {
namespace {

constexpr int kOrders = 3, kAnswers = 4;  // a worker's descriptors
constexpr int kLook = 50;                 // ms between looks at the stop request
constexpr int kMostDeaths = 3;            // of workers that took no trial

class Descriptor {
 public:
  explicit Descriptor(int descriptor = -1) : descriptor_(descriptor) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void close() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

// A worker process, ended with this object.
class Worker {
 public:
  Worker(std::vector<std::string> argv, const std::string& study_sha256) {
    int orders[2], answers[2];
    ATTUNE_CHECK(pipe2(orders, O_CLOEXEC) == 0 && pipe2(answers, O_CLOEXEC) == 0, StorageError,
                 "no pipe to a worker can be made: {}", std::strerror(errno));
    const Descriptor theirs_to_read(orders[0]), theirs_to_write(answers[1]);
    orders_ = std::make_unique<Descriptor>(orders[1]);
    answers_ = std::make_unique<Descriptor>(answers[0]);
    reader_ = std::make_unique<LineReader>(answers[0]);
    start(std::move(argv), orders[0], answers[1]);
    order(Json().set("study", study_sha256));
  }
  ~Worker() {
    finish();
    if (trial) ask_to_stop();
    end();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  bool order(const Json& json) { return write_all(orders_->get(), line_of(json)); }
  int answers() const { return answers_->get(); }
  LineReader& reader() { return *reader_; }
  void finish() { orders_->close(); }  // it ends when it reads that
  void ask_to_stop() const {
    if (process_ > 0) kill(process_, SIGTERM);  // 0 were this process's whole group
  }
  // Waits for its end: how it ended, in words.
  std::string end() {
    if (process_ <= 0) return "it had ended";
    int status = 0;
    while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = 0;
    if (!WIFSIGNALED(status)) return fmt::format("it ended with exit code {}", WEXITSTATUS(status));
    const int number = WTERMSIG(status);
    return fmt::format("it was ended by signal {} ({}){}", number, strsignal(number),
                       number == SIGKILL ? ", which the system sends when memory is short" : "");
  }

  std::optional<Index> trial;  // that it runs

 private:
  void start(std::vector<std::string> argv, int orders, int answers) {
    // Their places in the worker must not be taken by each other.
    const Descriptor high_orders(fcntl(orders, F_DUPFD_CLOEXEC, kAnswers + 1));
    const Descriptor high_answers(fcntl(answers, F_DUPFD_CLOEXEC, kAnswers + 1));
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, high_orders.get(), kOrders);
    posix_spawn_file_actions_adddup2(&files, high_answers.get(), kAnswers);
    std::vector<char*> words;
    for (std::string& word : argv) words.push_back(word.data());
    words.push_back(nullptr);
    std::string mark = fmt::format("ATTUNE_WORKER={},{},{}", getpid(), kOrders, kAnswers);
    std::vector<char*> environment = {mark.data()};
    for (char** entry = environ; *entry; ++entry) environment.push_back(*entry);
    environment.push_back(nullptr);
    const int problem =
        posix_spawn(&process_, "/proc/self/exe", &files, nullptr, words.data(), environment.data());
    posix_spawn_file_actions_destroy(&files);
    ATTUNE_CHECK(problem == 0, StorageError, "no worker can be started: {}",
                 std::strerror(problem));
  }

  pid_t process_ = 0;
  std::unique_ptr<Descriptor> orders_, answers_;
  std::unique_ptr<LineReader> reader_;
};

// A study's trials on their way through workers.
class Run {
 public:
  Run(const Study& study, const std::vector<Trial>& waiting, const LaunchOptions& options,
      int n_workers)
      : waiting_(waiting), options_(options), n_workers_(n_workers), sha256_(sha256(study.yaml())) {
    // A worker knows trials by their places in the whole plan.
    std::map<std::string, Index> place;
    for (const Trial& trial : plan_places(study))
      place.emplace(key_of(trial), static_cast<Index>(place.size()));
    for (const Trial& trial : waiting) planned_.push_back(place.at(key_of(trial)));
    for (std::size_t i = 0; i < waiting.size(); ++i) todo_.push_back(static_cast<Index>(i));
  }

  LaunchResult result() {
    // What others held is asked for again after the rest, as InProcessLauncher does.
    for (bool first = true; first || (trained_ && !held_.empty()); first = false) {
      todo_.insert(todo_.end(), held_.begin(), held_.end());
      held_.clear();
      trained_ = false;
      while (!todo_.empty() || n_running() > 0) turn();
    }
    result_.busy = static_cast<Index>(held_.size());
    return result_;
  }

 private:
  static std::string key_of(const Trial& trial) {
    return fmt::format("{}/{}/{}/{}", trial.row, trial.seed, trial.fold.value_or(-1),
                       trial.repeat.value_or(-1));
  }
  Index n_running() const {
    return std::count_if(workers_.begin(), workers_.end(),
                         [](const auto& worker) { return worker->trial.has_value(); });
  }

  void turn() {
    stop_if_asked();
    while (!todo_.empty() && static_cast<int>(workers_.size()) < n_workers_)
      workers_.push_back(std::make_unique<Worker>(options_.argv, sha256_));
    for (auto& worker : workers_)
      if (!worker->trial && !todo_.empty()) give(*worker);
    std::vector<pollfd> watched;
    for (const auto& worker : workers_) watched.push_back({worker->answers(), POLLIN, 0});
    if (poll(watched.data(), watched.size(), kLook) <= 0) return;
    for (std::size_t i = watched.size(); i-- > 0;)
      if (watched[i].revents != 0) hear(i);
  }

  void give(Worker& worker) {
    const Index i = todo_.front();
    todo_.pop_front();
    worker.trial = i;
    const Trial& trial = waiting_[static_cast<std::size_t>(i)];
    // One that cannot be written to has ended, which reading tells.
    worker.order(Json()
                     .set("trial", planned_[static_cast<std::size_t>(i)])
                     .set("place", i + 1)
                     .set("n_trials", static_cast<Index>(waiting_.size()))
                     .set("data_sha256", trial.data_sha256)
                     .set("init_sha256", trial.init_sha256));
  }

  void hear(std::size_t i) {
    Worker& worker = *workers_[i];
    const bool alive = worker.reader().fill();
    while (const auto line = worker.reader().buffered()) {
      const Json json = Json::parse(*line, "a worker's answer");
      if (json.find("event")) {
        if (options_.sink) options_.sink(from_json(json));
      } else {
        done(worker, json);
      }
    }
    if (!alive) bury(i);
  }

  void done(Worker& worker, const Json& json) {
    const auto text = [&json](const char* key) {
      const Json* value = json.find(key);
      return value && value->text() ? *value->text() : std::string();
    };
    if (json.find("error")) {
      const Json* code = json.find("code");
      throw Error(static_cast<ExitCode>(code && code->integer() ? *code->integer() : 1),
                  text("error"));
    }
    const Index i = worker.trial.value_or(0);
    worker.trial.reset();
    const std::string how = text("done");
    deaths_ = 0;
    if (how == "busy") return held_.push_back(i);
    if (how == "stopped") return;
    trained_ = trained_ || how != "skipped";
    if (how == "failed") result_.failures.push_back(text("why"));
    result_.finished += how == "finished" || how == "diverged";
    result_.diverged += how == "diverged";
  }

  // A worker that is gone: its trial is lost for now, the others go on.
  void bury(std::size_t i) {
    const std::unique_ptr<Worker> worker = std::move(workers_[i]);
    workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(i));
    const std::string how = worker->end();
    if (options_.stop && options_.stop->requested()) return;
    ATTUNE_CHECK(worker->trial || ++deaths_ < kMostDeaths, StorageError,
                 "workers end before they take a trial: {}. Run with -j 1, which needs none", how);
    if (!worker->trial) return;
    const Trial& trial = waiting_[static_cast<std::size_t>(*worker->trial)];
    const std::string why =
        fmt::format("the worker of {} is gone: {}. The same command goes on from its checkpoint",
                    trial.stem(), how);
    result_.failures.push_back(why);
    if (options_.sink) {
      TrialEnded ended{.trial = *worker->trial + 1, .final = {}, .why = why};
      ended.how = TrialEnded::How::failed;
      options_.sink(ended);
    }
  }

  // Workers write their checkpoints; what they still say is heard.
  void stop_if_asked() {
    const auto code = options_.stop ? options_.stop->requested() : std::nullopt;
    if (!code) return;
    for (const auto& worker : workers_) {
      worker->ask_to_stop();
      worker->finish();
    }
    while (!workers_.empty()) {
      std::vector<pollfd> watched;
      for (const auto& worker : workers_) watched.push_back({worker->answers(), POLLIN, 0});
      if (poll(watched.data(), watched.size(), kLook) <= 0) continue;
      for (std::size_t i = watched.size(); i-- > 0;)
        if (watched[i].revents != 0) hear(i);
    }
    throw InterruptedError(*code, "stopped, with checkpoints of the trials that were running");
  }

  const std::vector<Trial>& waiting_;
  const LaunchOptions& options_;
  int n_workers_;
  std::string sha256_;
  std::vector<Index> planned_;  // of each waiting trial, its place in the plan
  std::deque<Index> todo_;
  std::vector<Index> held_;
  std::vector<std::unique_ptr<Worker>> workers_;
  bool trained_ = false;
  int deaths_ = 0;
  LaunchResult result_;
};

// A pipe whose reader is gone is an error of write(), not the end of this process.
class IgnoreBrokenPipes {
 public:
  IgnoreBrokenPipes() : before_(signal(SIGPIPE, SIG_IGN)) {}
  ~IgnoreBrokenPipes() { signal(SIGPIPE, before_); }
  IgnoreBrokenPipes(const IgnoreBrokenPipes&) = delete;
  IgnoreBrokenPipes& operator=(const IgnoreBrokenPipes&) = delete;

 private:
  void (*before_)(int);
};

}  // namespace

LaunchResult WorkerLauncher::run(const Study& study, const std::vector<Trial>& waiting,
                                 StudyFolder&, const LaunchOptions& options) {
  const IgnoreBrokenPipes ignore;
  return Run(study, waiting, options, n_workers_).result();
}

}  // namespace attune
