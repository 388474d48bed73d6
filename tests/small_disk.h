#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace attune {

// For tests that mount a small tmpfs. Only root may; everyone may be root of a namespace of his
// own, which ends with the test's process.
inline void be_allowed_to_mount() {
  const auto user = geteuid(), group = getegid();
  if (user == 0) return;
  ASSERT_EQ(unshare(CLONE_NEWUSER | CLONE_NEWNS), 0) << std::strerror(errno);
  std::ofstream("/proc/self/setgroups") << "deny";
  std::ofstream("/proc/self/uid_map") << "0 " << user << " 1";
  std::ofstream("/proc/self/gid_map") << "0 " << group << " 1";
}

}  // namespace attune
