#include <sched.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/build_facts.h"
#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/session.h"
#include "cli/table.h"

namespace attune {
namespace {

// One thing looked at. A problem keeps attune from working here, a note may surprise.
struct Finding {
  enum class State { ok, note, problem };
  std::string name, value;
  State state = State::ok;
  std::string advice;
};
using State = Finding::State;

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;
constexpr double kSlowSync = 0.2;                                     // s; a checkpoint syncs twice
constexpr double kLittleDisk = 1.0;                                   // GiB
constexpr long kNfs = 0x6969, kSmb = 0xfe534d42, kCifs = 0xff534d42;  // statfs(2)

// The value of "name : value" in a file of /proc; empty where there is none.
std::string line_value(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(name)) continue;
    const std::size_t at = line.find_first_not_of(" \t:", name.size());
    return at == line.npos ? "" : line.substr(at);
  }
  return "";
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool has_flag(const std::string& flags, const std::string& flag) {
  return (" " + flags + " ").find(" " + flag + " ") != std::string::npos;
}

Finding processor() {
  const std::string flags = line_value("/proc/cpuinfo", "flags");
  std::vector<std::string> sets;
  for (const char* set : {"avx2", "fma", "avx512f", "amx_tile"})
    if (has_flag(flags, set)) sets.emplace_back(set);
  const std::string name = line_value("/proc/cpuinfo", "model name");
  return {"processor", fmt::format("{}: {}", name.empty() ? "unknown" : name, join(sets)),
          State::ok, ""};
}

Finding instructions() {
  const BuildFacts& facts = build_facts();
  const bool wide = has_flag(line_value("/proc/cpuinfo", "flags"), "avx512f");
  Finding f{"instructions", std::string(facts.isa), State::ok, ""};
  if (wide && facts.isa.find("avx512") == std::string_view::npos) {
    f.state = State::note;
    f.advice = "this processor has AVX-512: the preset `release` builds for it";
  }
  return f;
}

Finding cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int usable = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
  const long all = ::sysconf(_SC_NPROCESSORS_ONLN);
  Finding f{"cores", fmt::format("{} of {} usable", usable, all), State::ok, ""};
  const std::string quota = first_line("/sys/fs/cgroup/cpu.max");  // "200000 100000", "max 100000"
  double share = 0, period = 0;
  if (std::sscanf(quota.c_str(), "%lf %lf", &share, &period) == 2 && period > 0) {
    f.value += fmt::format(", a quota of {:.3g}", share / period);
    if (share / period < usable) {
      f.state = State::note;
      f.advice = fmt::format("give --threads {} at most: the quota allows no more",
                             std::max(1, static_cast<int>(share / period)));
    }
  }
  double load[1] = {0};
  if (::getloadavg(load, 1) == 1) {
    f.value += fmt::format(", load {:.1f}", load[0]);
    if (f.state == State::ok && load[0] > 0.5 * usable) {
      f.state = State::note;
      f.advice = "others are working here: times will vary, results will not";
    }
  }
  return f;
}

Finding memory() {
  const auto gib = [](const std::string& name) {
    return std::strtod(line_value("/proc/meminfo", name).c_str(), nullptr) * 1024 / kGiB;
  };
  Finding f{"memory",
            fmt::format("{:.1f} GiB, {:.1f} available", gib("MemTotal:"), gib("MemAvailable:")),
            State::ok, ""};
  const std::string limit = first_line("/sys/fs/cgroup/memory.max");
  if (!limit.empty() && limit != "max")
    f.value += fmt::format(", limited to {:.1f}", std::strtod(limit.c_str(), nullptr) / kGiB);
  return f;
}

Finding libraries() {
  std::vector<std::string> names;
  for (const auto& [name, version] : build_facts().libraries)
    names.push_back(fmt::format("{} {}", name, version));
  return {"libraries", join(names), State::ok, ""};
}

// A folder of its own in which trials would be: locks, renames and syncs are tried there.
class TrialGround {
 public:
  explicit TrialGround(const std::string& folder) {
    std::string name = (std::filesystem::path(folder) / ".attune-doctor-XXXXXX").string();
    if (::mkdtemp(name.data())) path_ = name;
  }
  ~TrialGround() {
    if (!path_.empty()) remove_tree(path_);
  }
  const std::string& path() const { return path_; }  // empty where it cannot be made

 private:
  std::string path_;
};

Finding locks(const TrialGround& ground) {
  Finding f{"file locks", "work", State::ok, ""};
  try {
    const auto first = FileLock::try_lock(ground.path() + "/lock");
    const auto second = FileLock::try_lock(ground.path() + "/lock");
    if (first && !second) return f;
    f.value = first ? "do not exclude" : "cannot be taken";
  } catch (const StorageError& error) {
    f.value = error.what();
  }
  f.state = State::problem;
  f.advice = "two processes would train one trial: keep studies on another file system, with -o";
  return f;
}

Finding writes(const TrialGround& ground) {
  Finding f{"atomic writes", "", State::ok, ""};
  const auto began = std::chrono::steady_clock::now();
  try {
    write_atomically(ground.path() + "/file", std::string(1 << 20, 'x'));
  } catch (const StorageError& error) {
    return {"atomic writes", error.what(), State::problem, "name another folder with -o"};
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
  f.value = fmt::format("{:.0f} ms a MiB, synced", 1000 * seconds.count());
  if (seconds.count() > kSlowSync) {
    f.state = State::note;
    f.advice = "checkpoints will be slow: set checkpoint.every to more steps, or to 30s";
  }
  return f;
}

Finding disk(const std::string& folder) {
  struct statvfs space = {};
  if (::statvfs(folder.c_str(), &space) != 0) return {"disk", "unknown", State::note, ""};
  const double free = static_cast<double>(space.f_bavail) * static_cast<double>(space.f_frsize);
  Finding f{"disk", fmt::format("{:.1f} GiB free", free / kGiB), State::ok, ""};
  if (free / kGiB < kLittleDisk) {
    f.state = State::note;
    f.advice = "a run file takes as much as its parameters and predictions";
  }
  struct statfs system = {};
  if (::statfs(folder.c_str(), &system) != 0) return f;
  const long type = static_cast<long>(system.f_type) & 0xffffffffL;
  if (type == kNfs || type == kSmb || type == kCifs) {
    f.value += ", a network file system";
    f.state = State::note;
    f.advice = "locks between hosts need its lock service; starters on one host are safe";
  }
  return f;
}

Finding jobs() {
  for (const auto& [name, variable] :
       {std::pair{"Slurm", "SLURM_JOB_ID"}, {"MPI", "OMPI_COMM_WORLD_SIZE"}, {"MPI", "PMI_SIZE"}})
    if (const char* value = std::getenv(variable))
      return {"scheduler", fmt::format("{}: {}={}", name, variable, value), State::note,
              "start the same command in every task: trials are shared by their locks; SIGUSR1 "
              "checkpoints and exits 85"};
  return {"scheduler", "none", State::ok, ""};
}

Finding own_configs(const std::string& folder) {
  if (!folder.empty()) return {"configs", folder, State::ok, ""};
  return {"configs", "not found", State::note,
          "groups such as model: vit_small are found only beside your files"};
}

const char* word(State state) {
  return state == State::ok ? "ok" : state == State::note ? "note" : "problem";
}

}  // namespace

ExitCode verb_doctor(Session& session) {
  const std::string folder = session.command.text("out").value_or(".");
  ATTUNE_CHECK(std::filesystem::is_directory(folder), ConfigError,
               "-o {} is no folder; name the one that studies go into", folder);
  std::vector<Finding> findings = {{"attune", version_text(build_facts()), State::ok, ""},
                                   processor(),
                                   instructions(),
                                   cores(),
                                   memory(),
                                   libraries(),
                                   own_configs(session.configs)};
  const TrialGround ground(folder);
  if (ground.path().empty()) {
    findings.push_back(
        {"folder", folder + " cannot be written to", State::problem, "name another one with -o"});
  } else {
    findings.push_back(locks(ground));
    findings.push_back(writes(ground));
  }
  findings.push_back(disk(folder));
  findings.push_back(jobs());

  bool sound = true;
  Table table({{""}, {""}, {""}});
  Json json = Json::List{};
  for (const Finding& f : findings) {
    sound = sound && f.state != State::problem;
    table.row({word(f.state), f.name, f.advice.empty() ? f.value : f.value + ": " + f.advice});
    Json entry;
    entry.set("name", f.name).set("state", word(f.state)).set("value", f.value);
    json.push(entry.set("advice", f.advice.empty() ? Json() : Json(f.advice)));
  }
  const Output& out = session.console.out;
  out.print(session.console.json ? json.dump() + "\n" : table.text(out.width));
  return sound ? ExitCode::ok : ExitCode::failure;
}

}  // namespace attune
