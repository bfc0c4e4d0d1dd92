#pragma once

#include <memory>
#include <string>
#include <vector>

#include "store/target_store.h"
#include "teachers/target_cache.h"

namespace conclave {

// A worker's answers in a store: what is there is not computed, what is computed is kept. The same store may be used by
// other workers, and by trainers (make_store_source). `root` goes before relative image paths. REQUIRES: the store is
// open for writing; every teacher's hash is known.
std::unique_ptr<TargetCache> make_worker_store(std::unique_ptr<TargetStore> store,
                                               std::vector<ExpectedTeacher> teachers, std::string root);

}  // namespace conclave
