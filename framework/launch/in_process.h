#pragma once

#include "study/launcher.h"

namespace attune {

// One trial after the other in this process.
class InProcessLauncher : public Launcher {
 public:
  LaunchResult run(const Study& study, const std::vector<Trial>& waiting, StudyFolder& folder,
                   const LaunchOptions& options) override;
};

}  // namespace attune
