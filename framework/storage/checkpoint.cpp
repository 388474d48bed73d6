#include "storage/checkpoint.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "storage/bytes.h"

namespace attune {
namespace {

// The file: magic | i64 step | u64 journal_bytes | identity | build_id | u64 blobs | (name | u64
// bytes | bytes)… | SHA-256 of all before as 64 hex digits.
constexpr std::string_view kMagic = "attune.checkpoint@1\n", kMagicStem = "attune.checkpoint@",
                           kPrefix = "ckpt-";
constexpr std::size_t kFooterBytes = 64, kKept = 2;

// Steps of the checkpoints in a folder, newest first.
std::vector<Index> steps_in(const std::string& folder) {
  std::vector<Index> steps;
  for (const std::string& name : list_folder(folder)) {
    if (!name.starts_with(kPrefix)) continue;
    Index step = 0;
    const char* end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + kPrefix.size(), end, step);
    if (parsed.ec == std::errc() && parsed.ptr == end) steps.push_back(step);
  }
  std::sort(steps.rbegin(), steps.rend());
  return steps;
}

std::string path_of(const std::string& folder, Index step) {
  return fmt::format("{}/{}{}", folder, kPrefix, step);
}

}  // namespace

void save_checkpoint(const std::string& folder, const Checkpoint& checkpoint) {
  ByteWriter out;
  out.raw(kMagic).put(checkpoint.step).put(checkpoint.journal_bytes);
  out.text(checkpoint.identity)
      .text(checkpoint.build_id)
      .put(static_cast<std::uint64_t>(checkpoint.blobs.size()));
  for (const auto& [name, bytes] : checkpoint.blobs) {
    out.text(name).put(static_cast<std::uint64_t>(bytes.size())).raw(bytes);
  }
  const std::string footer = sha256(out.bytes());
  const std::string temporary = folder + "/ckpt.tmp";
  write_synced(temporary, out.raw(footer).bytes());
  rename_synced(temporary, path_of(folder, checkpoint.step));
  // Those beyond this step were left by an attempt that was given up.
  std::size_t kept = 0;
  for (Index step : steps_in(folder)) {
    if (step > checkpoint.step || ++kept > kKept) remove_file(path_of(folder, step));
  }
}

Checkpoint read_checkpoint(const std::string& path) {
  const std::string file = read_file(path);
  if (!file.starts_with(kMagic)) {
    ATTUNE_CHECK(!file.starts_with(kMagicStem), DamagedError,
                 "{}: is a checkpoint of another version of attune ({}, this one reads 1)", path,
                 file.substr(kMagicStem.size(),
                             std::min<std::size_t>(file.find('\n'), 24) - kMagicStem.size()));
    throw DamagedError(fmt::format("{}: is no checkpoint, or its start is damaged", path));
  }
  ATTUNE_CHECK(file.size() >= kMagic.size() + kFooterBytes, DamagedError,
               "{}: ends after {} bytes: it is not whole", path, file.size());
  const std::string_view body = std::string_view(file).substr(0, file.size() - kFooterBytes);
  ATTUNE_CHECK(sha256(body) == std::string_view(file).substr(body.size()), DamagedError,
               "{}: its content is not what was written (SHA-256 differs)", path);
  ByteReader in(body.substr(kMagic.size()));
  Checkpoint checkpoint;
  checkpoint.step = in.get<Index>();
  checkpoint.journal_bytes = in.get<std::uint64_t>();
  checkpoint.identity = in.text();
  checkpoint.build_id = in.text();
  const auto n_blobs = in.get<std::uint64_t>();
  for (std::uint64_t i = 0; i < n_blobs && in.ok(); ++i) {
    std::string name = in.text();
    checkpoint.blobs[std::move(name)] = std::string(in.raw(in.get<std::uint64_t>()));
  }
  ATTUNE_CHECK(in.done(), DamagedError, "{}: its records do not add up to its {} bytes", path,
               file.size());
  return checkpoint;
}

CheckpointSearch load_newest_valid(const std::string& folder, const std::string& identity,
                                   const std::string& build_id, std::uint64_t journal_bytes) {
  CheckpointSearch search;
  for (Index step : steps_in(folder)) {
    const std::string path = path_of(folder, step);
    try {
      Checkpoint checkpoint = read_checkpoint(path);
      ATTUNE_CHECK(checkpoint.identity == identity, DamagedError,
                   "{}: belongs to another trial ({}…, this one is {}…)", path,
                   checkpoint.identity.substr(0, 8), identity.substr(0, 8));
      if (checkpoint.build_id != build_id) {
        search.outcome = CheckpointSearch::Outcome::other_build;
        search.notices.push_back(
            fmt::format("{}: was written by another build of attune ({}, this one is {}), whose "
                        "numbers may differ: the trial begins anew",
                        path, checkpoint.build_id, build_id));
        return search;
      }
      ATTUNE_CHECK(checkpoint.journal_bytes <= journal_bytes, DamagedError,
                   "{}: belongs to a journal of {} bytes, of which {} are left", path,
                   checkpoint.journal_bytes, journal_bytes);
      search.outcome = CheckpointSearch::Outcome::found;
      search.checkpoint = std::move(checkpoint);
      return search;
    } catch (const DamagedError& error) {
      search.notices.push_back(std::string(error.what()) +
                               "; an older one is used, or the trial begins anew");
    }
  }
  return search;
}

}  // namespace attune
