#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace attune {

// File operations that survive kill -9 and power loss. Errors are StorageErrors that name the path,
// the system's reason and what to try: a full disk, for instance, says that the same command goes
// on once there is room.

bool file_exists(const std::string& path);  // a file, folder or anything else
std::string read_file(const std::string& path);
std::vector<std::string> list_folder(
    const std::string& path);                // names, sorted; none where there is no such folder
void make_folders(const std::string& path);  // with their parents; existing ones are fine

// "a/b.h5" → "a/.b.h5.tmp": beside it, hidden, and matched by no glob for its kind. For folders of
// our own, where a lock has one writer at a time and what a kill leaves is swept; what people name
// is an OutputFile (base/output_file.h).
std::string temporary_name(const std::string& path);

// Readers of `path` see the old content or all of the new: temporary file, fsync, rename, fsync of
// the folder. Several writers of one path need a lock between them.
void write_atomically(const std::string& path, std::string_view content);

// The steps of it, for content that others write.
void write_synced(const std::string& path,
                  std::string_view content);  // a new file, on disk when this returns
void sync_file(const std::string& path);
void rename_synced(const std::string& from,
                   const std::string& to);  // over `to`, on disk when this returns
void sync_folder(const std::string& path);

void remove_file(const std::string& path);  // none there is fine
// A folder with all below it; links are removed, not followed. Absent is fine.
void remove_tree(const std::string& path);

// A file that grows record by record. Each append is one write(), so a kill leaves all of a record
// or, at a full disk or a power cut, a torn one at the end; what a failed append has left is cut
// off again.
class AppendFile {
 public:
  // Opens or makes the file and cuts it to `size` bytes, when it is longer.
  AppendFile(const std::string& path, std::uint64_t size);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  void append(std::string_view bytes);
  void sync();  // fdatasync
  std::uint64_t size() const { return size_; }

 private:
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

struct LockOwner {
  std::string host;
  long pid = 0;
};

// An exclusive flock on a file, which holds the owner's host and pid for people to read. The kernel
// releases it when the process ends, however it ends.
class FileLock {
 public:
  // None when another holds it. The folder must exist.
  static std::optional<FileLock> try_lock(const std::string& path);
  // As try_lock, but waits for it.
  static FileLock wait(const std::string& path);
  // Who wrote itself into the file last; none where it says nobody.
  static std::optional<LockOwner> owner(const std::string& path);
  // Whether a process holds it now.
  static bool is_held(const std::string& path);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  static std::optional<FileLock> lock(const std::string& path, bool wait);
  int descriptor_ = -1;
};

std::string host_name();

}  // namespace attune
