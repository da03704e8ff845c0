import Fetching

extension TaskDataset {
  /// 10,605 sentences of film reviews with the mean rating of 20 readers (Hutto & Gilbert 2014), in an archive inside the source package.
  package static let vaderSentiment = TaskDataset(
    manifest: ArtifactManifest(
      name: "vader-sentiment", kind: .dataset, description: "Rated sentences of film reviews (vaderSentiment)", licence: "MIT",
      source: PackageSource(
        package: "vaderSentiment", version: "3.3.2", form: .sdist,
        sha256: "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9", bytes: 2_466_783),
      content: PackageContent(
        shape: .file,
        member: "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz/hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt",
        target: "movieReviewSnippets_GroundTruth.txt", sha256: "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350",
        bytes: 1_383_098)),
    summary: "sentiment: 10,605 rated sentences of film reviews", task: "sentiment")

  /// 250 papers of the ACL Anthology with a summary of each of three aspects, written by people (Takeshita et al. 2024).
  package static let aclsum = TaskDataset(
    manifest: ArtifactManifest(
      name: "aclsum", kind: .dataset, description: "Papers of the ACL Anthology with human summaries of three aspects (ACLSum)",
      licence: "MIT",
      source: PackageSource(
        package: "aclsum", version: "0.1.2", form: .wheel, sha256: "c75ffc48d3eabc5f37c68ea087943780a85950087957759e89746f21111f2213",
        bytes: 5_152_165),
      content: PackageContent(
        shape: .folder, member: "aclsum/dataset", target: "dataset",
        sha256: "4e5f304f1d8edf547808c4fa428dd792248b8149b3c48e3e6bb2f59a580898c3", bytes: 29_499_092)),
    summary: "summarisation: 250 papers, three human summaries each", task: "aclsum")
}
