/**
 * SD-JWT VC: issue, choose disclosures, bind, verify; type metadata.
 *
 * @module
 */
export {}
