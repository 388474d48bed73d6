#pragma once

#include <string>
#include <vector>

#include "storage/study_folder.h"
#include "study/claim.h"

namespace attune {

// How much of a study was finished when a claim was first frozen with it.
struct Registration {
  Index finished = 0, planned = 0;
  bool frozen = false;  // a study.yaml has the claim; else it was read from elsewhere
  std::string earlier;  // the region that a claim of this id had before, where it was another one
  bool before_data() const { return frozen && finished == 0; }
  // "registered before 0 of 120", "added after 37 of 120"
  std::string words() const;
};

// Claims that decide on data of their own family: those registered before any trial was finished,
// whatever became of them since, and those that came later, which are exploratory. `size` counts
// trained and formula claims: their intervals share alpha.
struct Families {
  std::vector<Registration> of;  // of each claim
  Index registered = 0, added = 0;
  Index size(std::size_t claim) const { return of[claim].before_data() ? registered : added; }
};

// From the frozen study.yaml files, oldest first. `finished` of `planned` trials are there now.
Families families_of(const std::vector<Claim>& claims, const StudyFolder& folder, Index finished,
                     Index planned);

// The text to freeze: `yaml`, and how much of the study is finished. Where only that differs from
// the newest frozen text, the newest itself.
std::string text_to_freeze(const std::string& yaml, const StudyFolder& folder, Index finished,
                           Index planned);

}  // namespace attune
