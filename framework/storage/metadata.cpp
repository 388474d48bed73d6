#include "storage/metadata.h"

#include <chrono>
#include <ctime>
#include <fstream>
#include <thread>

#include "base/build_facts.h"
#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"

namespace attune {
namespace {

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name"))
      return line.substr(std::min(line.find(':') + 2, line.size()));
  }
  return "unknown";
}

Json build_json() {
  const BuildFacts& facts = build_facts();
  Json libraries;
  for (const auto& [name, version] : facts.libraries) libraries.set(name, version);
  Json build;
  build.set("version", facts.version)
      .set("build_id", facts.build_id)
      .set("commit", facts.git_commit);
  build.set("dirty", facts.git_dirty).set("changes", facts.git_changes).set("diff", facts.git_diff);
  build.set("compiler", facts.compiler).set("flags", facts.flags).set("isa", facts.isa);
  build.set("type", facts.build_type).set("libraries", std::move(libraries));
  return build;
}

}  // namespace

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string metadata_text(const RunMetadata& m, std::string_view identity,
                          std::string_view run_file_sha256) {
  Json when, where, origins(Json::Map{}), measured(Json::Map{});
  when.set("started", m.started).set("finished", m.finished).set("seconds", m.seconds);
  where.set("host", host_name()).set("processor", processor());
  where.set("cores", Index{std::thread::hardware_concurrency()}).set("folder", m.folder);
  for (const auto& [key, origin] : m.origins) origins.set(key, origin);
  for (const auto& [name, value, units] : m.measured) {
    measured.set(name, Json(Json::Map{{"value", value}, {"units", units}}));
  }
  Json json;
  json.set("schema", "attune.meta@1")
      .set("identity", identity)
      .set("run_file_sha256", run_file_sha256);
  json.set("when", std::move(when)).set("where", std::move(where)).set("build", build_json());
  json.set("argv", Json(Json::List(m.argv.begin(), m.argv.end())))
      .set("threads", m.threads)
      .set("data_file", m.data_file)
      .set("init_from", m.init_from);
  json.set("attempts", m.attempts).set("executed_steps", m.executed_steps);
  json.set("measured", std::move(measured)).set("origins", std::move(origins));
  json.set("notes", Json(Json::List(m.notes.begin(), m.notes.end())));
  return json.dump() + "\n";
}

Json read_metadata(const std::string& path) {
  Json json = Json::parse(read_file(path), path);
  const Json* schema = json.find("schema");
  const std::string* text = schema != nullptr ? schema->text() : nullptr;
  ATTUNE_CHECK(text != nullptr && *text == "attune.meta@1", DamagedError,
               "{}: is no metadata that this version reads: its schema is {}, not attune.meta@1",
               path, text != nullptr ? *text : "none");
  return json;
}

Json metadata_beside(const std::string& run_path) {
  const std::string path =
      run_path.substr(0, run_path.size() - std::string_view(".h5").size()) + ".meta.json";
  return run_path.ends_with(".h5") && file_exists(path) ? read_metadata(path) : Json();
}

std::string checked_sha256(const std::string& run_path, const Json& metadata) {
  std::string found = sha256(read_file(run_path));
  const Json* recorded = metadata.find("run_file_sha256");
  const std::string* text = recorded ? recorded->text() : nullptr;
  ATTUNE_CHECK(!text || text->empty() || found == *text, DamagedError,
               "{}: its SHA-256 is {:.8}…, and was {:.8}… when it was written: the file is "
               "damaged. Copy it again from where it was made, or remove it and run its study "
               "again, which trains what is missing",
               run_path, found, *text);
  return found;
}

}  // namespace attune
