/**
 * The template files of an issuer, read against what its directory knows.
 *
 * A claim from a fact that no directory has would be missing from every credential; it is refused at the
 * start, where somebody reads it.
 *
 * @module
 */
import { type ConfiguredFiles, describeFailure, nearestName, startUpError } from '@attache/daemon'
import { type CredentialTemplate, parseCredentialTemplate } from '@attache/issuer'

/** The facts of a directory of people and agents, as templates name them. */
export const DIRECTORY_FACTS: readonly string[] = [
  'agent.id',
  'agent.name',
  'agent.purpose',
  'owner.birth_date',
  'owner.department',
  'owner.email',
  'owner.employee_id',
  'owner.name',
  'owner.region',
  'owner.role',
  'owner.salary_band',
]

/**
 * Reads one template.
 *
 * @throws {TypeError} The codes of `parseCredentialTemplate`, and `template_malformed`: a claim comes from a fact
 *   that is not in {@link DIRECTORY_FACTS}. The message ends with the file.
 */
export function readTemplate(
  file: string,
  files: ConfiguredFiles,
  credentialIssuer: string,
): CredentialTemplate {
  const text = files.text(file)
  const template = inFile(file, () => parseCredentialTemplate(text, { credentialIssuer }))
  for (const { name, from } of template.claims) {
    const fact = from.join('.')
    if (DIRECTORY_FACTS.includes(fact)) continue
    const nearest = nearestName(fact, DIRECTORY_FACTS)
    const meant = nearest === undefined ? `Facts: ${DIRECTORY_FACTS.join(', ')}.` : `Did you mean ${nearest}?`
    throw startUpError(
      'template_malformed',
      `The claim ${name} comes from ${fact}, which nobody knows. ${meant} File: ${file}`,
    )
  }
  return template
}

function inFile<T>(file: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    const { code, message } = describeFailure(error)
    throw startUpError(code, `${message} File: ${file}`)
  }
}
