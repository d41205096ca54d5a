// Who are you?
import { useState } from 'preact/hooks'
import { type ApiError, ask } from '../api'
import { Failure, Field } from '../parts/basics'

export function Login({ ways, done }: { ways: string[]; done: () => void }) {
  const here = ways.filter((way) => way !== 'oidc')
  const [way, setWay] = useState(here.includes('password') ? 'password' : 'token')
  const [user, setUser] = useState('')
  const [secret, setSecret] = useState('')
  const [error, setError] = useState<ApiError>()
  const [busy, setBusy] = useState(false)
  const send = async () => {
    setBusy(true)
    try {
      await ask('login', { method: 'POST', body: way === 'token' ? { token: secret } : { user, password: secret } })
      setError(undefined)
      done()
    } catch (error) {
      setError(error as ApiError)
    }
    setSecret('')
    setBusy(false)
  }
  return (
    <main class="alone">
      <form class="panel login" onSubmit={(submit) => { submit.preventDefault(); void send() }}>
        <h1>Palisade</h1>
        {ways.includes('oidc') && <p class="buttons"><a class="main" href="/api/v1/login/oidc">Log in by the provider</a></p>}
        {here.length > 1 && (
          <div class="segments" role="group" aria-label="How to log in">
            {here.map((name) => <button key={name} type="button" aria-pressed={name === way} onClick={() => setWay(name)}>{name}</button>)}
          </div>
        )}
        {here.length > 0 && way === 'password' && (
          <Field label="User">
            <input name="user" autocomplete="username" required value={user} onInput={(input) => setUser(input.currentTarget.value)} />
          </Field>
        )}
        {here.length > 0 && <Field label={way === 'token' ? 'Token' : 'Password'} hint={way === 'token' ? 'what the token file holds' : undefined}>
          <input name="secret" type="password" autocomplete="current-password" required value={secret} onInput={(input) => setSecret(input.currentTarget.value)} />
        </Field>}
        {error && <Failure error={error} />}
        {here.length > 0 && <p class="buttons"><button class="main" type="submit" disabled={busy}>Log in</button></p>}
      </form>
    </main>
  )
}
